"""Colours as data: chosen once, held to what makes them good by tests/host/test_media_colours.py.

Every next class or expert colour is the one of a grid of Oklab colours that lies farthest from all before it, as most
people see and as deuteranopes do. A palette's first colours are therefore its most distinct ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ColourTable = NDArray[np.uint8]


def _table(hexadecimal: str) -> ColourTable:
    """Read-only, since it is a view of bytes."""
    return np.frombuffer(bytes.fromhex(hexadecimal), dtype=np.uint8).reshape(-1, 3)


NAMED_CLASSES = {
    "road": (128, 100, 162),
    "vehicle": (38, 84, 214),
    "person": (240, 62, 78),
    "vegetation": (44, 124, 66),
    "building": (198, 184, 166),
    "sky": (136, 204, 250),
    "sign": (255, 214, 60),
}
"""Colours people expect of the things in a street."""

CLASSES = _table("""
    1f4e61 7884ff ba7baa 71330c 4928a0 fe7d2c cd81f8 c8db90 ebc3e0 734c60 872791 359274 547cd2 f672bb 90b572 7492d1
    6ad96c 965376 bd3504 5f5d01 7d9d7c 206eba 643a3f 2b457d b25b9f 8ec8ce 698c4b 6b36ad aecc23 ba6700 e76802 d287d9
    badcb9 4d613d 2eebfb 656fe8 b152bb dad862 754579 25c396 4c96e6 457388 5d66a6 dc6d68 39a2ba 31dd89 6b53cc 4f775e
    a8bce3 791c55 65742b 47358d ed8a53 742e2c 528b88 9bbbfd c45769
""")
"""For classes without a colour of their own, far from those of NAMED_CLASSES as well; 57×3."""

EXPERTS = _table("""
    4381aa eae637 5fe0ff 76ad42 6eeaa3 e764ae 6a97f7 588858 aecb22 616ae2 e17fea fa7f91 43fee2 f59bc9 bf5914 fada99
    389aa3 e1506d 508dd0 cdbc78 31a8d4 f2c66b cea448 8872ef 248b88 7ac7e9 d694b5 f4617c f3b7e3 99f6bd fe9aa7 b67d28
    9d53c6 d9d412 b77388 f07017 90e0c1 e584cf 3ab28c dc68c4 d59d70 b667bd b25977 5f8938 b0f671 d085fc 6e9948 f2c48b
    92f0f9 4c75d2 bf74e9 d7a10c d2bb5a 4fc39c 6fcdd6 c7aafd a6c88c da7e65 3b8de1 ca609a af539c 86f8cf 5a9b73 fb9ab8
""")
"""Lively and of middle lightness, so that dark numbers read on them; 64×3."""

DEPTH = _table("""
    0d1030 0e1132 0f1133 101235 111236 111338 12133a 13143b 14143d 15153f 161540 171642 181744 191746 1a1847 1a1849
    1b194b 1c194c 1d1a4e 1e1a50 1f1b52 201c53 211c55 221d57 231d59 241e5a 251e5c 261f5e 271f60 282062 292163 2a2165
    2b2267 2c2269 2e236a 2f236b 31246c 33246d 35246e 36256f 382570 3a2671 3c2672 3d2673 3f2774 412775 432876 442877
    462878 482979 4a297a 4b297b 4d2a7d 4f2a7e 502a7f 522b80 542b81 562b82 572c83 592c84 5b2c85 5d2d86 5e2d87 602d88
    622e89 642e8b 652e8c 672e8d 692f8e 6b2f8f 6d308f 6e308f 70318e 72318e 74328e 75328e 77338d 79338d 7b348d 7d348c
    7f348c 80358c 82358c 84368b 86368b 88368b 8a378a 8b378a 8d378a 8f388a 913889 933889 953989 973988 983988 9a3988
    9c3987 9e3a87 a03a87 a23a86 a43a86 a63a85 a83a85 a93b85 ab3b84 ad3b84 af3b84 b13b83 b33c82 b43c81 b53d80 b73e80
    b83f7e b9407d ba417c bc427b bd427a be4379 c04478 c14577 c24676 c44675 c54774 c64873 c84971 c94970 ca4a6f cc4b6e
    cd4c6d ce4c6b d04d6a d14e69 d34e67 d44f66 d55065 d75063 d85162 d95260 db525f dc535d de545c df545a e05559 e25557
    e35655 e55754 e65752 e75850 e8594f e95b4f e95d4e ea5f4e ea604e eb624d eb644d ec664d ed674d ed694c ee6b4c ee6d4c
    ef6e4b ef704b f0724a f0734a f1754a f17749 f27849 f27a48 f27c48 f37d47 f37f47 f48046 f48246 f58445 f58545 f68744
    f68844 f78a43 f78c43 f78d42 f88f41 f89041 f99240 f9933f fa953f fa963e fa983d fb9a3c fb9b3d fb9d3f fb9f40 fca141
    fca243 fca444 fca646 fca747 fca949 fcab4a fdad4b fdae4d fdb04e fdb24f fdb351 fdb552 fdb754 fdb955 fdba56 fdbc58
    fdbe59 fdbf5a fdc15c fdc35d fdc45e fdc65f fdc861 fdc962 fdcb63 fdcd65 fdce66 fdd067 fdd269 fdd46a fdd56b fdd670
    fdd774 fdd878 fdda7b fddb7f fedc83 fedd87 fede8a fedf8e fee091 fee195 fee298 fee39c fee49f fee5a2 fee6a6 fee8a9
    fee9ac feeab0 feebb3 feecb6 ffedb9 ffeebd ffefc0 fff0c3 fff1c6 fff2c9 fff3cc fff4d0 fff5d3 fff6d6 fff7d9 fff8dc
""")
"""From far (0, dark and cold) to near (255, light and warm), in even steps in Oklab; 256×3."""
