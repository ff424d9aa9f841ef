//! The built-in list: what design tools and systems leave lying about and make again by themselves.
//!
//! It errs on the side of keeping: a pattern stands here only if what it matches is written by a
//! program for its own use. Names are compared without regard to case. Every pattern is a single
//! name; one that ends in `/` means folders only.

/// The patterns, grouped by what leaves such files. Lowest precedence: `!pattern` in any
/// `.pentignore` brings a file back.
pub const CREATIVE_DEFAULTS: &[(&str, &[&str])] = &[
    ("Pentimento", &[".pent-tmp-*"]),
    (
        "macOS",
        &[
            ".DS_Store",
            "._*",
            ".AppleDouble/",
            ".AppleDB/",
            ".AppleDesktop/",
            ".LSOverride",
            ".Spotlight-V100/",
            ".Trashes/",
            ".TemporaryItems/",
            ".fseventsd/",
            ".DocumentRevisions-V100/",
            ".VolumeIcon.icns",
            ".com.apple.timemachine.donotpresent",
            "Icon\r",
            "__MACOSX/",
        ],
    ),
    (
        "Windows",
        &[
            "Thumbs.db",
            "Thumbs.db:encryptable",
            "ehthumbs.db",
            "ehthumbs_vista.db",
            "desktop.ini",
            "$RECYCLE.BIN/",
            "System Volume Information/",
        ],
    ),
    ("Linux desktops", &[".directory", ".Trash-*/", ".nfs*", ".fuse_hidden*", ".thumbnails/"]),
    (
        "Synchronising programs",
        &[
            ".dropbox",
            ".dropbox.attr",
            ".dropbox.cache/",
            ".stfolder/",
            ".stversions/",
            ".sync/",
            ".syncthing.*.tmp",
            ".tmp.drivedownload/",
            ".tmp.driveupload/",
            "*.crdownload",
            "*.partial",
            "*.part",
        ],
    ),
    ("Other version control", &[".git/", ".hg/", ".svn/", ".lore/"]),
    ("Photoshop and Bridge", &[".BridgeCache", ".BridgeCacheT", ".BridgeSort", "Photoshop Temp*", "~*.tmp"]),
    ("Illustrator", &["~ai-*.tmp", "aistmp*"]),
    ("InDesign and InCopy", &["*.idlk", "~*.indd", "~*.incx"]),
    (
        "Lightroom and Capture One",
        &[
            "*.lrdata/",
            "*.lrcat.lock",
            "*.lrcat-wal",
            "*.lrcat-shm",
            "*.cocatalogdb-wal",
            "*.cocatalogdb-shm",
        ],
    ),
    (
        "Premiere, Media Encoder, Audition",
        &[
            "Adobe Premiere Pro Auto-Save/",
            "Adobe Premiere Pro Preview Files/",
            "Adobe Premiere Pro Video Previews/",
            "Adobe Premiere Pro Audio Previews/",
            "Premiere Composer Files/",
            "Media Cache/",
            "Media Cache Files/",
            "Peak Files/",
            "*.pek",
            "*.cfa",
            "*.prlock",
            "*.mcdb",
            "Adobe Audition Auto-Save/",
        ],
    ),
    (
        "After Effects",
        &[
            "Adobe After Effects Auto-Save/",
            "*.aep Logs/",
            "*.aepx Logs/",
            "Adobe After Effects Disk Cache*",
            "*.aep lockfile.txt",
        ],
    ),
    ("Affinity", &["*.afphoto~lock~", "*.afdesign~lock~", "*.afpub~lock~", "*.af~lock~", "*.autosave"]),
    ("Figma and Sketch", &["*.sketch.lock", ".sketch-cache/"]),
    ("Blender", &["*.blend[0-9]", "*.blend[0-9][0-9]", "*.blend@", "*.blend~", "blendcache_*/"]),
    ("Krita", &["*.kra~", "*.krz~", "*.kra-autosave.kra", "*.krz-autosave.krz", "*.ora~"]),
    ("GIMP and Inkscape", &["*.xcf~", "*.svg~", "*.svg.20[0-9][0-9]_[0-9][0-9]_[0-9][0-9]_*.0.svg"]),
    (
        "Maya",
        &[
            ".mayaSwatches/",
            "incrementalSave/",
            "*.ma.swatches",
            "*.mb.swatches",
            "*.ma.swatch",
            "*.mb.swatch",
        ],
    ),
    ("Cinema 4D", &["*.c4d.lock", "*_bak[0-9].c4d", "*_bak[0-9][0-9].c4d"]),
    (
        "3ds Max, Houdini, Nuke, ZBrush",
        &[
            "*.max.bak",
            "*_bak[0-9].hip*",
            "*.hip*_bak*",
            "*.nk~",
            "*.nk.autosave",
            "*.nk.autosave[0-9]",
            "QuickSave_*.zpr",
        ],
    ),
    (
        "Substance and Marmoset",
        &["*.spp.lock", "*.spp.autosave", "*_autosave_[0-9].spp", "*_autosave_[0-9][0-9].spp"],
    ),
    (
        "DaVinci Resolve, Final Cut, Avid",
        &["CacheClip/", ".gallery/", "ProxyMedia.tmp/", "*.fcpcache/", "msmFMID.pmr", "msmMMOB.mdb"],
    ),
    (
        "Audio workstations",
        &["*.als.tmp", "*.reapeaks", "*.RPP-UNDO", "*.rpp-bak", "*.bwproject.lock", "WaveCache.wfm"],
    ),
    ("Unreal", &["DerivedDataCache/"]),
    ("Office programs", &["~$*", ".~lock.*#", "*.xlk", "~WRL*.tmp", "~WRD*.tmp"]),
    ("Editors", &["*~", ".*.sw[a-p]", ".*.un~", "#*#", ".#*", "*.kate-swp", ".idea/", ".vs/"]),
    ("Programs of every kind", &["__pycache__/"]),
];
