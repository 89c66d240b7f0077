"""The Protobuf oracle: generated code, made from the contract's field numbers."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from grpc_tools import protoc


@pytest.fixture(scope="session")
def pb(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the module that the Protobuf compiler makes of `oracle.proto`."""
    here, out = Path(__file__).parent, tmp_path_factory.mktemp("oracle")
    assert protoc.main(["protoc", f"-I{here}", f"--python_out={out}", str(here / "oracle.proto")]) == 0
    spec = importlib.util.spec_from_file_location("fanjet_tests_oracle_pb2", out / "oracle_pb2.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
