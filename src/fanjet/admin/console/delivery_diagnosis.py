"""Explains why a connection did not receive a publication, decision by decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from fanjet.channels.permissions import may_subscribe, refuse_subscribe
from fanjet.node.connection_filter import ConnectionFilter
from fanjet.protocol.codes import ReplyError
from fanjet.protocol.publication import StreamPosition

from ..requests import RequestError

if TYPE_CHECKING:
    from fanjet.channels.namespaces import Resolved
    from fanjet.client.session import Session
    from fanjet.client.subscriptions.subscription import Subscription
    from fanjet.engines.interfaces import History
    from fanjet.node.node import Node
    from fanjet.protocol.publication import Publication

    from ..requests import Parameters
    from .connection_views import ConnectionViews

MOST_CONNECTIONS = 20


class Step(NamedTuple):
    """One decision.

    `outcome`: `yes` lets the publication through, `no` stops it, `unknown`: cannot be determined.
    """

    question: str
    outcome: str
    detail: str


class DeliveryDiagnosis:
    """Diagnoses deliveries to the connections of this node."""

    def __init__(self, node: Node, connections: ConnectionViews) -> None:
        self._node = node
        self._connections = connections

    async def diagnose(self, params: Parameters) -> dict[str, Any]:
        """Diagnose deliveries of `channel` to connections on this node.

        These are the connection `client`, or all connections of `user`. `offset` selects one publication in the
        history: `steps` at the top level are about it, `verdict` is about the whole request.
        """
        channel, offset = params.required("channel"), params.number("offset")
        sessions = self._sessions(params)
        resolved = self._resolve(channel)
        if resolved is None:
            unknown = Step("Does the channel's namespace exist?", "no", "Clients are answered error 102.")
            return {"connections": [], "steps": [unknown], "verdict": "There is no such namespace."}
        publication, steps = await self._publication(resolved, channel, offset)
        results = [
            self._diagnose_session(session, resolved, publication, offset) for session in sessions[:MOST_CONNECTIONS]
        ]
        return {"connections": results, "steps": steps, "verdict": ""}

    def _resolve(self, channel: str) -> Resolved | None:
        try:
            return self._node.namespaces.resolve(channel)
        except ReplyError:
            return None

    def _sessions(self, params: Parameters) -> list[Session]:
        if client := params.text("client"):
            session = self._connections.find(client)
            return [] if session is None else [session]
        if not params.has("user"):
            raise RequestError(400, "user or client is missing")
        return cast("list[Session]", self._node.connections.select(ConnectionFilter(params.text("user"))))

    async def _publication(
        self, resolved: Resolved, channel: str, offset: int
    ) -> tuple[Publication | None, list[Step]]:
        """The publication at `offset`, and the step that reports it.

        The publication is None if the history no longer has it.
        """
        if not offset:
            return None, []
        question = "Is the publication in the history?"
        if not (resolved.options.history_size and resolved.options.history_ttl):
            return None, [Step(question, "unknown", "This namespace keeps no history, so its tags are not known.")]
        try:
            history: History = await self._node.history(
                channel,
                since=StreamPosition(offset - 1, ""),
                limit=1,
                reverse=False,
                meta_ttl=int(resolved.options.history_meta_ttl),
            )
        except ReplyError as failure:
            return None, [Step(question, "unknown", f"The history cannot be read: {failure.error.message}.")]
        kept = [each for each in history.publications if each.offset == offset]
        if kept:
            return kept[0], [Step(question, "yes", f"Offset {offset} of {history.top.offset}.")]
        if offset > history.top.offset:
            return None, [Step(question, "no", f"It was not published: the stream ends at {history.top.offset}.")]
        return None, [Step(question, "unknown", "It is not kept any more, so its tags are not known.")]

    def _diagnose_session(
        self, session: Session, resolved: Resolved, publication: Publication | None, offset: int
    ) -> dict[str, Any]:
        subscription = session.subscriptions.get(resolved.channel)
        if subscription is None:
            steps = [_check_permission(session, resolved)]
        else:
            steps = [_check_subscription(subscription), self._check_filter(subscription, publication)]
            steps += [self._check_position(subscription, offset), _check_queue(session)]
        return {"client": session.client_id, "user": session.user, "steps": steps, "verdict": _verdict(steps)}

    def _check_filter(self, subscription: Subscription, publication: Publication | None) -> Step:
        question = "Does its tags filter let the publication through?"
        tags_filter = subscription.delivery.tags_filter
        if tags_filter is None:
            return Step(question, "yes", "It has none.")
        if publication is None:
            return Step(question, "unknown", "It has one; name the offset of a publication that is kept to try it.")
        tags = publication.tags or {}
        return Step(question, "yes" if tags_filter.matches(tags) else "no", f"The publication's tags are {tags}.")

    def _check_position(self, subscription: Subscription, offset: int) -> Step:
        question = "How far has it been delivered to?"
        if not subscription.delivery.positioned:
            return Step(question, "unknown", "It keeps no position, so lost publications go unnoticed.")
        delivered, epoch = self._connections.position(subscription)
        where = f"Offset {delivered} in epoch {epoch}"
        if not offset:
            return Step(question, "yes", f"{where}.")
        if offset > delivered:
            return Step(question, "no", f"{where}, which is before {offset}: this node has not got it yet.")
        return Step(question, "yes", f"{where}: {offset} has been sent, unless the subscription began after it.")


def _check_permission(session: Session, resolved: Resolved) -> Step:
    """A session without a subscription: whether it may subscribe."""
    question = "Is it subscribed to the channel?"
    error = refuse_subscribe(resolved, stream_wanted=True, has_token=False)
    if error is not None:
        return Step(question, "no", f"Without a token it would be answered error {error.code} ({error.message}).")
    if resolved.options.subscribe_proxy_enabled or resolved.options.subscribe_stream_proxy_enabled:
        return Step(question, "no", "A subscribe proxy would decide whether it may.")
    source = may_subscribe(resolved, session, insecure=session.context.config.insecure)
    if source is None:
        return Step(question, "no", "It may not without a subscription token (error 103).")
    return Step(question, "no", f"It may, but has not asked to ({source.name.lower().replace('_', ' ')}).")


def _check_subscription(subscription: Subscription) -> Step:
    question = "Is it subscribed to the channel?"
    if subscription.buffer is not None or not subscription.active:
        return Step(question, "unknown", "It is just subscribing: what comes meanwhile follows the reply.")
    side = "by the server" if subscription.server_side else "by itself"
    return Step(question, "yes", f"Subscribed {side} ({subscription.options.source.name.lower().replace('_', ' ')}).")


def _check_queue(session: Session) -> Step:
    question = "Has the client taken what was sent?"
    if session.is_blocked:
        limit = session.context.settings.queue_max_size
        return Step(question, "no", f"It is slow: {session.backlog_size} bytes wait (it is closed at {limit}).")
    return Step(question, "yes", "Nothing waits for it on this server.")


def _verdict(steps: list[Step]) -> str:
    for step in steps:
        if step.outcome == "no":
            return f"Stopped here: {step.question} {step.detail}"
    if any(step.outcome == "unknown" for step in steps):
        return "Nothing here stopped it, as far as known."
    return "Nothing here stopped it: it left this server."
