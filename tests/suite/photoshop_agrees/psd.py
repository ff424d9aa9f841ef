"""Writes Photoshop documents of every mode and depth, with groups, masks and clipping, and says of any what psd-tools reads.

    psd.py make FOLDER           documents, one for each mode, depth, size of numbers and way of packing
    psd.py read FOLDER FILE...   the layers and pictures of files: JSON, and pixels as red, green, blue, opacity in FOLDER
"""
import json, os, sys
import numpy
from PIL import Image
from psd_tools import PSDImage
from psd_tools.api.layers import PixelLayer
from psd_tools.constants import BlendMode, Compression

W, H = 96, 64
PLANES = {'L': 1, 'RGB': 3, 'CMYK': 4, 'LAB': 3}


def field(planes, seed, width=W, height=H):
    y, x = numpy.mgrid[0:height, 0:width].astype(numpy.float32)
    return numpy.stack([0.5 + 0.45 * numpy.sin(x / (7 + plane + seed) + y / (5 + 2 * plane) + seed) for plane in range(planes)], axis=-1).astype(numpy.float32)


def disc(width, height):
    y, x = numpy.mgrid[0:height, 0:width].astype(numpy.float32)
    far = numpy.hypot(x - width / 2 + 0.5, y - height / 2 + 0.5)
    return numpy.clip(min(width, height) / 2 - far, 0, 1).astype(numpy.float32)[..., None]


def document(mode, depth, large, packing):
    psd = PSDImage.new(mode, (W, H), depth=depth)
    if large:
        psd._record.header.version = 2
    planes = PLANES[mode]
    opaque = numpy.ones((H, W, 1), numpy.float32)
    def layer(parent, name, seed, left, top, width, height, shape=None):
        colours = field(planes, seed, width, height)
        alpha = numpy.ones((height, width, 1), numpy.float32) if shape is None else shape
        made = PixelLayer.fromarray(numpy.concatenate([colours, alpha], axis=-1), psd, name=name, top=top, left=left, compression=packing)
        if parent is not psd:
            parent.append(made)
        return made
    layer(psd, 'Ground', 1, 0, 0, W, H)
    group = psd.create_group(name='Group')
    layer(group, 'Disc', 3, 10, 8, 40, 40, disc(40, 40))
    upper = layer(group, 'Half', 5, 30, -6, 50, 40)
    upper.opacity = 128
    masked = layer(psd, 'Masked', 2, 40, 20, 50, 40)
    masked.create_mask(Image.fromarray((255 * disc(36, 36)[..., 0]).astype(numpy.uint8), 'L'), left=46, top=22)
    base = layer(psd, 'Base', 4, 4, 30, 30, 30, disc(30, 30))
    clipped = layer(psd, 'Clipped', 6, 0, 36, 40, 20)
    clipped.clipping = True
    clipped.blend_mode = BlendMode.MULTIPLY
    hidden = layer(psd, 'Hidden', 7, 60, 4, 20, 20)
    hidden.visible = False
    return psd


def make(folder):
    packings = [Compression.RAW, Compression.RLE, Compression.ZIP, Compression.ZIP_WITH_PREDICTION]
    number = 0
    for mode in PLANES:
        for depth in (8, 16, 32):
            if depth == 32 and mode in ('CMYK', 'LAB'):
                continue
            for large in (False, True):
                packing = packings[number % 4]
                number += 1
                name = f'{mode.lower()}-{depth}-{packing.name.lower()}.{"psb" if large else "psd"}'
                document(mode, depth, large, packing).save(os.path.join(folder, name))


def curve(light):
    light = numpy.clip(light, 0, 1)
    return numpy.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def lab(levels):
    """CIE L*a*b* of D50 to sRGB, by the matrix of Bruce Lindbloom's tables."""
    lightness, a, b = levels[..., 0] * 100, levels[..., 1] * 255 - 128, levels[..., 2] * 255 - 128
    fy = (lightness + 16) / 116
    cube = lambda t: numpy.where(t > 6 / 29, t ** 3, 3 * (6 / 29) ** 2 * (t - 4 / 29))
    xyz = numpy.stack([0.96422 * cube(fy + a / 500), cube(fy), 0.82521 * cube(fy - b / 200)], axis=-1)
    matrix = numpy.array([[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]])
    return curve(xyz @ matrix.T)


def coloured(psd, planes, alpha):
    """Planes from 0 to 1 as bytes of red, green, blue and opacity."""
    mode = psd.color_mode.name
    if mode == 'CMYK':
        colours = planes[..., :3] * planes[..., 3:4]
    elif mode == 'LAB':
        colours = lab(planes)
    else:
        colours = planes[..., :3] if planes.shape[-1] >= 3 else numpy.repeat(planes[..., :1], 3, axis=-1)
        if psd.depth == 32:
            colours = curve(colours)
    if alpha is None:
        alpha = numpy.ones(planes.shape[:2] + (1,), numpy.float32)
    both = numpy.nan_to_num(numpy.concatenate([colours, alpha[..., :1]], axis=-1))
    return numpy.floor(numpy.clip(both, 0, 1) * 255 + 0.5).astype(numpy.uint8)


def save(folder, name, pixels):
    path = os.path.join(folder, name)
    pixels.tofile(path)
    return {'pixels': path, 'width': pixels.shape[1], 'height': pixels.shape[0]}


def read(folder, number, path):
    try:
        psd = PSDImage.open(path)
    except Exception as error:
        return {'file': path, 'refused': str(error)}
    layers = []
    def walk(group, depth):
        for layer in reversed(list(group)):
            told = {'name': layer.name, 'depth': depth, 'group': layer.is_group(), 'visible': layer.visible, 'opacity': layer.opacity,
                'blend': layer.blend_mode.value.decode(), 'clipped': bool(layer.clipping), 'bounds': [layer.left, layer.top, layer.width, layer.height],
                'mask': [layer.mask.left, layer.mask.top, layer.mask.width, layer.mask.height] if layer.has_mask() else None}
            if not layer.is_group() and layer.has_pixels():
                planes = layer.numpy('color')
                if planes is not None and planes.size:
                    told.update(save(folder, f'{number}-{len(layers)}.rgba', coloured(psd, planes, layer.numpy('shape'))))
            layers.append(told)
            if layer.is_group():
                walk(layer, depth + 1)
    walk(psd, 0)
    told = {'file': path, 'mode': psd.color_mode.name, 'size': [psd.width, psd.height], 'depth': psd.depth, 'layers': layers}
    told['stored'] = save(folder, f'{number}.rgba', coloured(psd, psd.numpy('color'), psd.numpy('shape')))
    return told


if sys.argv[1] == 'make':
    make(sys.argv[2])
else:
    print(json.dumps([read(sys.argv[2], number, path) for number, path in enumerate(sys.argv[3:])]))
