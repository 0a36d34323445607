"""`python3 -m unittest tests.test_channel` in the project's folder: the tests stand beside the SDK that pyproject.toml names."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for place in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["patchbay"]["path"]:
    sys.path.insert(0, str(ROOT / place))
sys.path.insert(0, str(ROOT))
