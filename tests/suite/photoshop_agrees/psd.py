"""Writes Photoshop documents of every mode and depth, with groups, masks and clipping, and says of any what psd-tools reads.

    psd.py make FOLDER           documents, one for each mode, depth, size of numbers and way of packing
    psd.py read FOLDER FILE...   the layers and pictures of files: JSON, and pixels as red, green, blue, opacity in FOLDER
"""
import json, os, sys
import numpy
from PIL import Image
from psd_tools import PSDImage
from psd_tools.api.layers import PixelLayer
from psd_tools.api.utils import get_transparency_index, has_transparency
from psd_tools.constants import BlendMode, ColorMode, Compression, Tag
from psd_tools.psd import PSD
from psd_tools.psd.color_mode_data import ColorModeData
from psd_tools.psd.descriptor import Descriptor, List
from psd_tools.psd.header import FileHeader
from psd_tools.psd.image_data import ImageData

W, H = 96, 64
FILLS = (Tag.SOLID_COLOR_SHEET_SETTING, Tag.GRADIENT_FILL_SETTING, Tag.PATTERN_FILL_SETTING)
EFFECTS = (Tag.OBJECT_BASED_EFFECTS_LAYER_INFO, Tag.OBJECT_BASED_EFFECTS_LAYER_INFO_V0, Tag.OBJECT_BASED_EFFECTS_LAYER_INFO_V1)
ADJUSTMENTS = ('brightnesscontrast', 'curves', 'exposure', 'levels', 'vibrance', 'huesaturation', 'colorbalance', 'blackandwhite',
    'photofilter', 'channelmixer', 'colorlookup', 'posterize', 'threshold', 'selectivecolor', 'gradientmap', 'invert')
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


def flat(folder):
    """Pictures without layers, in the modes that have none: a palette, one bit, a duotone, several channels."""
    index = (numpy.add(*numpy.mgrid[0:H, 0:W]) * 3 % 256).astype(numpy.uint8)
    palette = numpy.stack([numpy.arange(256) * 7 % 256, numpy.arange(256) * 11 % 256, 255 - numpy.arange(256)]).astype(numpy.uint8)
    bits = numpy.packbits(index[:, :90] > 100, axis=1)
    grey = (255 * field(1, 2)[..., 0]).astype(numpy.uint8)
    for name, mode, depth, width, colours, planes in [
        ('indexed', ColorMode.INDEXED, 8, W, palette.tobytes(), [index]),
        ('bitmap', ColorMode.BITMAP, 1, 90, b'', [bits]),
        ('duotone', ColorMode.DUOTONE, 8, W, b'\0' * 536, [grey]),
        ('multichannel', ColorMode.MULTICHANNEL, 8, W, b'', [grey, index, grey[::-1]])]:
        for large in (False, True):
            head = FileHeader(version=2 if large else 1, channels=len(planes), height=H, width=width, depth=depth, color_mode=mode)
            made = PSD(header=head, color_mode_data=ColorModeData(colours))
            made.image_data = ImageData(Compression.RLE)
            made.image_data.set_data([plane.tobytes() for plane in planes], head)
            with open(os.path.join(folder, f'{name}.{"psb" if large else "psd"}'), 'wb') as file:
                made.write(file)


def curve(light):
    light = numpy.clip(light, 0, 1)
    return numpy.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def lab(levels, depth):
    """CIE L*a*b* of D50 to sRGB, by the matrix of Bruce Lindbloom's tables."""
    # The colours are around 128 with 8 bits, and around 32768 with 16.
    step = 255 if depth == 8 else 65535 / 256
    lightness, a, b = levels[..., 0] * 100, levels[..., 1] * step - 128, levels[..., 2] * step - 128
    fy = (lightness + 16) / 116
    cube = lambda t: numpy.where(t > 6 / 29, t ** 3, 3 * (6 / 29) ** 2 * (t - 4 / 29))
    xyz = numpy.stack([0.96422 * cube(fy + a / 500), cube(fy), 0.82521 * cube(fy - b / 200)], axis=-1)
    matrix = numpy.array([[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]])
    return curve(xyz @ matrix.T)


def coloured(psd, planes, alpha):
    """Planes from 0 to 1 as bytes of red, green, blue and opacity."""
    mode = psd.color_mode
    planes = planes.astype(numpy.float64)
    if mode == ColorMode.CMYK:
        colours = planes[..., :3] * planes[..., 3:4]
    elif mode == ColorMode.LAB:
        colours = lab(planes, psd.depth)
    else:
        colours = planes[..., :3] if mode in (ColorMode.RGB, ColorMode.INDEXED) else numpy.repeat(planes[..., :1], 3, axis=-1)
        if psd.depth == 32:
            colours = curve(colours)
    if alpha is None:
        alpha = numpy.ones(planes.shape[:2] + (1,))
    both = numpy.nan_to_num(numpy.concatenate([colours, alpha[..., :1]], axis=-1))
    return numpy.floor(numpy.clip(both, 0, 1) * 255 + 0.5).astype(numpy.uint8)


def save(folder, name, pixels):
    path = os.path.join(folder, name)
    pixels.tofile(path)
    return path


def rectangle(it):
    return [it.left, it.top, it.width, it.height]


def has_effects(layer):
    """Whether effects are switched on, by the descriptor: the list of the reader leaves out those of older documents."""
    for key in EFFECTS:
        told = layer.tagged_blocks.get_data(key)
        if told is None:
            continue
        values = [value for of in told.values() for value in (of if isinstance(of, List) else [of]) if isinstance(value, Descriptor)]
        every = told.get(b'masterFXSwitch')
        return (every is None or bool(every.value)) and any(b'enab' in value and bool(value[b'enab'].value) for value in values)
    return layer.effects.enabled


def layer_told(psd, layer, depth):
    """What is compared of a layer, and what of it asks for more than pixels."""
    more = []
    # One of them it takes for a layer of pixels without any.
    if layer.kind in ADJUSTMENTS or Tag.BRIGHTNESS_AND_CONTRAST in layer.tagged_blocks:
        more.append('adjustment')
    if any(key in layer.tagged_blocks for key in FILLS):
        more.append('fill')
    if layer.has_vector_mask() and not layer.vector_mask.disabled:
        more.append('curves')
    if has_effects(layer):
        more.append('effects')
    mask = layer.mask.data if layer.has_mask() else None
    return {'name': layer.name, 'depth': depth, 'group': layer.is_group(), 'visible': layer.visible, 'opacity': layer.opacity,
        'blend': layer.blend_mode.value.decode(), 'clipped': bool(layer.clipping), 'more': more, 'shown': layer.is_visible(),
        'bounds': rectangle(layer) if not layer.is_group() and layer.has_pixels() else None,
        'mask': rectangle(mask) if mask and mask.width > 0 and mask.height > 0 else None}


def read(folder, number, path):
    try:
        psd = PSDImage.open(path)
    except Exception as error:
        return {'file': path, 'refused': str(error)}
    layers = []
    def walk(group, depth):
        for layer in reversed(list(group)):
            told = layer_told(psd, layer, depth)
            if told['bounds']:
                planes = layer.numpy('color')
                if planes is not None and planes.size:
                    told['pixels'] = save(folder, f'{number}-{len(layers)}.rgba', coloured(psd, planes, layer.numpy('shape')))
            layers.append(told)
            if layer.is_group():
                walk(layer, depth + 1)
    walk(psd, 0)
    told = {'file': path, 'mode': psd.color_mode.name, 'size': [psd.width, psd.height], 'depth': psd.depth, 'large': psd.version == 2, 'layers': layers}
    try:
        clear = has_transparency(psd)
        planes, shape = psd.numpy('color'), psd.numpy('shape') if clear else None
        told['clear'] = clear
        told['stored'] = save(folder, f'{number}.rgba', coloured(psd, planes, shape))
    except Exception as error:
        told['unstored'] = str(error)
    return told


if sys.argv[1] == 'make':
    make(sys.argv[2])
    flat(sys.argv[2])
else:
    print(json.dumps([read(sys.argv[2], number, path) for number, path in enumerate(sys.argv[3:])]))
