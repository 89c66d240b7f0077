"""The whole configuration (04 §5)."""

from fanjet.config.tree.api import GrpcApi, HttpApi
from fanjet.config.tree.base import Section, option
from fanjet.config.tree.bidirectional import Emulation, HttpStream, Init, Sse, Websocket, Webtransport
from fanjet.config.tree.broker import Broker, NamedBroker
from fanjet.config.tree.channel import Channel
from fanjet.config.tree.client import Client
from fanjet.config.tree.consumers import Consumer
from fanjet.config.tree.controller import Controller
from fanjet.config.tree.engine import Engine, Singleflight
from fanjet.config.tree.exporters import Graphite, Opentelemetry
from fanjet.config.tree.fanjet import Fanjet
from fanjet.config.tree.http_server import HttpServer
from fanjet.config.tree.map_broker import MapBroker
from fanjet.config.tree.operations import Admin, Debug, Health, Prometheus, Swagger
from fanjet.config.tree.presence_manager import NamedPresenceManager, PresenceManager
from fanjet.config.tree.process import Log, Node, Shutdown, UsageStats
from fanjet.config.tree.proxy import NamedProxy
from fanjet.config.tree.rpc import Rpc
from fanjet.config.tree.shared_poll import SharedPoll
from fanjet.config.tree.unidirectional import UniGrpc, UniHttpStream, UniSse, UniWebsocket


class Config(Section):
    """Every key of the configuration; attributes are named exactly like the keys, durations are seconds."""

    http_server: HttpServer = HttpServer()
    log: Log = Log()
    engine: Engine = Engine()
    broker: Broker = Broker()
    brokers: tuple[NamedBroker, ...] = option((), "brokers of namespaces, referred to by broker_name")
    presence_manager: PresenceManager = PresenceManager()
    presence_managers: tuple[NamedPresenceManager, ...] = option(
        (), "presence managers of namespaces, referred to by presence_manager_name"
    )
    map_broker: MapBroker = MapBroker()
    singleflight: Singleflight = Singleflight()
    controller: Controller = Controller()
    shared_poll: SharedPoll = SharedPoll()
    client: Client = Client()
    channel: Channel = Channel()
    rpc: Rpc = Rpc()
    proxies: tuple[NamedProxy, ...] = option((), "named proxies, referred to by *_proxy_name keys")
    http_api: HttpApi = HttpApi()
    grpc_api: GrpcApi = GrpcApi()
    consumers: tuple[Consumer, ...] = option((), "consumers of external message sources")
    websocket: Websocket = Websocket()
    sse: Sse = Sse()
    http_stream: HttpStream = HttpStream()
    webtransport: Webtransport = Webtransport()
    uni_sse: UniSse = UniSse()
    uni_http_stream: UniHttpStream = UniHttpStream()
    uni_websocket: UniWebsocket = UniWebsocket()
    uni_grpc: UniGrpc = UniGrpc()
    emulation: Emulation = Emulation()
    admin: Admin = Admin()
    prometheus: Prometheus = Prometheus()
    health: Health = Health()
    swagger: Swagger = Swagger()
    debug: Debug = Debug()
    init: Init = Init()
    opentelemetry: Opentelemetry = Opentelemetry()
    graphite: Graphite = Graphite()
    usage_stats: UsageStats = UsageStats()
    node: Node = Node()
    shutdown: Shutdown = Shutdown()
    pid_file: str = option("", "path of the PID file; empty = none")
    enable_unreleased_features: bool = option(False, "gate of unreleased features")
    fanjet: Fanjet = Fanjet()
