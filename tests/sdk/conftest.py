"""The official SDKs as a fixture: `client` makes clients of one SDK in one encoding; each test runs with all four."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from tests.sdk.client import SdkClient
from tests.sdk.javascript_client import JavascriptClient, Node
from tests.sdk.python_client import PythonClient
from tests.support.paths import NODE_MODULES

SDKS = ["javascript-json", "javascript-protobuf", "python-json", "python-protobuf"]

MakeClient = Callable[..., SdkClient]


@pytest_asyncio.fixture
async def node() -> AsyncIterator[Callable[[], Awaitable[Node]]]:
    """Return a function that gives this test's Node process, started when it is first asked for."""
    running: list[Node] = []

    async def get() -> Node:
        if not (NODE_MODULES / "centrifuge").is_dir():
            pytest.skip("the JavaScript SDK is not installed (`make test` gets it from npm)")
        if not running:
            running.append(Node())
            await running[0].start()
        return running[0]

    yield get
    for process in running:
        await process.stop()


@pytest_asyncio.fixture(params=SDKS)
async def client(request: pytest.FixtureRequest, node: Callable[[], Awaitable[Node]]) -> AsyncIterator[MakeClient]:
    """Return a function from a URL, and `token` and `renewed` where wanted, to a client that is not connected yet."""
    language, encoding = request.param.split("-")
    protobuf = encoding == "protobuf"
    process = await node() if language == "javascript" else None
    made: list[SdkClient] = []

    def make(url: str, token: str = "", renewed: str = "") -> SdkClient:
        if process is not None:
            made.append(JavascriptClient(process, url, protobuf=protobuf, token=token, renewed=renewed))
        else:
            made.append(PythonClient(url, protobuf=protobuf, token=token, renewed=renewed))
        return made[-1]

    yield make
    for each in made:
        await each.release()
