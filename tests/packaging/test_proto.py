"""Generated Protobuf code is what the .proto files say."""

import filecmp
import os
import subprocess
import sys

from tests.support.paths import ROOT


def test_generating_anew_changes_nothing(tmp_path):
    subprocess.run([ROOT / "scripts" / "make-proto", tmp_path], env=os.environ | {"PYTHON": sys.executable}, check=True)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*_pb2.py*") if "__pycache__" not in path.parts)
    kept = sorted(path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("*_pb2.py*") if path.suffix != ".pyc")
    assert made == kept
    assert made
    assert [str(path) for path in made if not filecmp.cmp(tmp_path / path, ROOT / "src" / path, shallow=False)] == []
