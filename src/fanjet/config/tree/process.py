"""Settings of the process itself: log, node name, shutdown (04 §5.2)."""

from fanjet.config.tree.base import Duration, Section, option


class Log(Section):
    """Where log lines go and which are written."""

    level: str = option(
        "info", "trace, debug, info, warn, error, fatal, none (case-insensitive); unknown value → info plus a warning"
    )
    file: str = option("", "append logs to this file instead of the console")


class Node(Section):
    """This node of the cluster."""

    name: str = option(
        "", "human-readable node name; empty → <hostname>_<http_server.port> (?_<port> when the hostname is unknown)"
    )
    info_metrics_aggregate_interval: Duration = option(60.0, "aggregation period of metrics in node info")


class Shutdown(Section):
    """Graceful shutdown."""

    timeout: Duration = option(30.0, "hard limit of graceful shutdown")


class UsageStats(Section):
    """Accepted for compatibility: no usage statistics are ever sent."""

    disabled: bool = option(False, "accepted and ignored by the new server (nothing is ever sent)")
