"""The metrics of several processes as one."""

from fanjet.telemetry.metrics import Registry
from fanjet.telemetry.metrics.merging import decoded, merged, told


def test_counts_are_added_up_and_of_silences_the_longest_counts():
    parts = []
    for worker, silence in enumerate((3.0, 40.0, 5.0)):
        registry = Registry()
        registry.counter("made", "What was made").cell(shown=True).value = 2
        registry.gauge("engine_silence_seconds", "Silence").cell(shown=True).value = silence
        parts.append(decoded(told(registry, worker)))
    values = {metric.name: [sample.value for sample in metric.samples] for metric in merged(parts).metrics}
    assert values == {"centrifugo_made": [6], "centrifugo_engine_silence_seconds": [40.0]}
