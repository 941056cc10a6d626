"""A span per question by OpenTelemetry's GenAI conventions, without its text; off unless a collector is configured."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from qa_agents import __version__
from qa_agents.errors import UnavailableError
from qa_agents.llm.schema import Call

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

Traced = Callable[[Call], None]
"""Fills the running span with what came of the question."""


class Tracer:
    """Spans for questions. Without a provider it does nothing."""

    def __init__(self, provider: Any = None) -> None:
        self._tracer = provider.get_tracer("qa_agents", __version__) if provider else None

    @contextlib.contextmanager
    def question(self, operation: str, model: str) -> Iterator[Traced]:
        """A span from now to the end of the block, named `chat MODEL`; call what is yielded once with the outcome."""
        if self._tracer is None:
            yield lambda _call: None
            return
        from opentelemetry.trace import SpanKind, Status, StatusCode

        name = f"{operation} {model}"
        about = {"gen_ai.operation.name": operation, "gen_ai.request.model": model, "gen_ai.provider.name": "openai"}
        with self._tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=about) as span:

            def tell(call: Call) -> None:
                span.set_attribute("gen_ai.usage.input_tokens", call.input_tokens)
                span.set_attribute("gen_ai.usage.output_tokens", call.output_tokens)
                span.set_attribute("qa_agents.prompt.id", call.prompt)
                span.set_attribute("qa_agents.prompt.sha256", call.prompt_sha256)
                if call.served:
                    span.set_attribute("gen_ai.response.model", call.served)
                if call.outcome != "answered":
                    span.set_attribute("error.type", call.outcome)
                    span.set_status(Status(StatusCode.ERROR, call.outcome))

            yield tell


def open_tracer(endpoint: str | None, exporter: "SpanExporter | None" = None) -> Tracer:
    """A tracer that sends to an OTLP collector (or an exporter); one that does nothing without either.

    Raises UnavailableError when the exporter is not installed.
    """
    if endpoint is None and exporter is None:
        return Tracer()
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

        if exporter is None:
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise UnavailableError(
            "OpenTelemetry is not installed.", hint="Install it with `pip install 'qa-agents[telemetry]'`."
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": "qa-agents", "service.version": __version__}))
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    else:
        insecure = str(endpoint).startswith("http://")
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=insecure)))
    return Tracer(provider)
