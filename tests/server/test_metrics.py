"""The names of all metrics, compared with the contract's list (10 B.5)."""

from fanjet.config import Config
from fanjet.server.metrics import ServerMetrics
from tests.support.metrics import CONTRACT


def metrics(**prometheus) -> ServerMetrics:
    config = Config.model_validate({"prometheus": {"recovered_publications_histogram": True} | prometheus})
    return ServerMetrics(config, lambda channel: channel.partition(":")[0])


def names(made: ServerMetrics) -> list[str]:
    prefix = "centrifugo_"
    return [name.removeprefix(prefix) for name in made.registry.names if name.startswith(prefix)]


def test_there_is_exactly_what_the_contract_lists():
    assert names(metrics()) == sorted(CONTRACT)


def test_there_are_no_summaries_beside_native_histograms():
    summaries = {name for name, (kind, _) in CONTRACT.items() if kind == "summary"}
    assert set(names(metrics(native_histograms=True))) == set(CONTRACT) - summaries


def test_how_much_was_recovered_is_counted_only_where_wanted():
    assert "client_recovered_publications" not in names(metrics(recovered_publications_histogram=False))


def test_all_names_begin_with_the_namespace_that_is_configured():
    config = Config.model_validate({"fanjet": {"metrics_namespace": "chat"}})
    found = ServerMetrics(config, str).registry.names
    assert not any(name.startswith("centrifugo_") for name in found)
    assert "chat_node_num_clients" in found
