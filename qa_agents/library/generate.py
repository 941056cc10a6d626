"""From a library to inputs: everything that its parts combine to, and of that the few that cover the most."""

import hashlib
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import BaseModel

from qa_agents.library.load import CANARY, SLOT
from qa_agents.library.schema import Input, Library, Property, Seed, Template, TransformUse, Value
from qa_agents.library.transforms import TRANSFORMS, apart

Reword = Callable[[Input], str | None]
"""Another wording of an input, or None; a language model's, where one is configured."""
NEW_TRAIT = 10
"""So many new pairs are worth as much as one value that nothing shows yet."""
MAX_COMBINATIONS = 50_000
"""More than this are not enumerated: a library that grows so large wants splitting."""


class Generated(BaseModel):
    """The inputs, and how much of the library they cover."""

    inputs: list[Input]
    possible: int
    """How many distinct inputs the library combines to."""
    coverage: dict[str, dict[str, int]]
    """Dimension to value to the number of inputs; 0 for what is not covered."""


def generate(library: Library, n: int, *, seed: int = 0, reword: Reword | None = None) -> Generated:
    """At most `n` distinct inputs that together cover as many pairs of the library's traits as they can.

    Deterministic for one library and `seed`. A group of inputs that are judged together is taken whole or not at all.
    `reword` may replace wordings; what it gives is kept only where the probed text stands in it unchanged.
    """
    groups = _groups(library)
    chosen = [one for group in _cover(groups, n, seed) for one in group]
    if reword is not None:
        chosen = _distinct([_reworded(one, reword) for one in chosen])
    everything = [one for group in groups for one in group]
    return Generated(inputs=chosen, possible=len(everything), coverage=_coverage(everything, chosen))


def _groups(library: Library) -> list[list[Input]]:
    """All distinct inputs, those that belong together in one list."""
    seen: set[str] = set()
    groups: dict[str, list[Input]] = {}
    for one in itertools.islice(_combined(library), MAX_COMBINATIONS):
        if one.id not in seen:
            seen.add(one.id)
            groups.setdefault(one.group or one.id, []).append(one)
    return [group for group in groups.values() if group[0].group is None or len(group) > 1]


def _combined(library: Library) -> Iterator[Input]:
    by_slot: dict[str, list[Seed]] = {}
    for seed in library.seeds:
        by_slot.setdefault(seed.slot, []).append(seed)
    attributes = {attribute.id: attribute for attribute in library.attributes}
    for template in library.templates:
        varied = [attributes[name] for name in template.varies]
        slots = [slot for slot in dict.fromkeys(SLOT.findall(template.text)) if slot in by_slot]
        for seeds in itertools.product(*(by_slot[slot] for slot in slots)):
            for values in itertools.product(*(attribute.values for attribute in varied)):
                made = _Made(library, template, seeds, dict(zip(template.varies, values, strict=True)))
                plain = made.plain()
                yield plain
                for use in library.transforms:
                    if plain.property in use.properties and (use.slot is None or use.slot in slots):
                        yield made.transformed(use)


class _Made(NamedTuple):
    """One combination of a template, a seed a slot, and a value an attribute."""

    library: Library
    template: Template
    seeds: Sequence[Seed]
    values: Mapping[str, Value]

    def plain(self) -> Input:
        """As it is written."""
        return self._input(None, None)

    def transformed(self, use: TransformUse) -> Input:
        """With the transform over the whole text, or over what fills its slot."""
        return self._input(use, TRANSFORMS[use.id].apply)

    def _input(self, use: TransformUse | None, transform: Callable[[str], str] | None) -> Input:
        template, seeds = self.template, self.seeds
        probe = next((seed for seed in seeds if seed.property), None)
        name = template.id, *(seed.id for seed in seeds)
        fill = {CANARY: "canary-" + _digest(*name)[:8]}
        for value in self.values.values():
            fill |= value.fill
        for seed in seeds:
            text = _filled(seed.text, fill)
            fill[seed.slot] = apart(use.id, text, fill[CANARY]) if use and use.slot == seed.slot else text
        text = _filled(template.text, fill)
        text = transform(text) if transform and use and use.slot is None else text
        prop = _property(template, probe)
        expected = template.expected if template.expected is not None else (probe.expected if probe else None)
        group = _digest(*name, use.id if use else "")[:12] if prop == "same-answer" else None
        return Input(
            id=_digest(prop, text)[:12],
            kind=self.library.kind,
            text=text,
            property=prop,
            expected=None if expected is None else _filled(expected, fill),
            group=group,
            tags=self._tags(prop, use),
            why=next((seed.why for seed in seeds if seed.why), ""),
            keeps=tuple(fill[seed.slot] for seed in seeds),
            made_from=(*name, *(value.value for value in self.values.values()), *((use.id,) if use else ())),
        )

    def _tags(self, prop: Property, use: TransformUse | None) -> dict[str, str]:
        tags = {"template": self.template.id, "property": prop, **self.template.tags}
        for seed in self.seeds:
            tags |= {seed.slot: seed.id, **seed.tags}
        tags |= {name: value.value for name, value in self.values.items()}
        return tags | {"transform": use.id if use else "none"}


def _property(template: Template, probe: Seed | None) -> Property:
    found = template.property or (probe.property if probe else None)
    if found is None:
        raise AssertionError(f"{template.id} was not linted")
    return found


def _cover(groups: Sequence[list[Input]], n: int, seed: int) -> list[list[Input]]:
    """Greedy cover of pairs of traits: the next group is the one that adds the most pairs for each input it costs.

    What a group adds only shrinks, so that a stale best that is still best need not be compared with all others (lazy
    evaluation; Minoux, 1978). Ties are broken by a hash of `seed`.
    """
    traits = [frozenset(_traits(group)) for group in groups]
    heap = [
        (-_worth(found) / len(group), _digest(str(seed), group[0].id), place)
        for place, (group, found) in enumerate(zip(groups, traits, strict=True))
    ]
    heapq.heapify(heap)
    covered: set[tuple[str, ...]] = set()
    chosen: list[list[Input]] = []
    left = n
    while heap and left > 0:
        _, tie, place = heapq.heappop(heap)
        size = len(groups[place])
        if size > left:
            continue
        gain = -_worth(traits[place] - covered) / size
        if heap and (gain, tie) > heap[0][:2]:
            heapq.heappush(heap, (gain, tie, place))
            continue
        chosen.append(groups[place])
        covered |= traits[place]
        left -= size
    return chosen


def _traits(group: Sequence[Input]) -> Iterator[tuple[str, ...]]:
    """Every trait of the group's inputs, and every two that stand together."""
    for one in group:
        single = sorted(f"{name}={value}" for name, value in one.tags.items())
        yield from itertools.combinations(single, 1)
        yield from itertools.combinations(single, 2)


def _worth(traits: Iterable[tuple[str, ...]]) -> int:
    return sum(NEW_TRAIT if len(trait) == 1 else 1 for trait in traits)


def _coverage(everything: Sequence[Input], chosen: Sequence[Input]) -> dict[str, dict[str, int]]:
    matrix: dict[str, dict[str, int]] = {}
    for one in everything:
        for name, value in one.tags.items():
            matrix.setdefault(name, {})[value] = 0
    for one in chosen:
        for name, value in one.tags.items():
            matrix[name][value] += 1
    return {name: dict(sorted(values.items())) for name, values in sorted(matrix.items())}


def _reworded(one: Input, reword: Reword) -> Input:
    """Another wording where it keeps every text that a seed put in. A group stays, for it differs in one thing only."""
    said = reword(one)
    if not said or one.group is not None:
        return one
    if any(text not in said for text in one.keeps):
        return one
    return one.model_copy(
        update={"id": _digest(one.property, said)[:12], "text": said, "made_from": (*one.made_from, "reworded")}
    )


def _distinct(inputs: Sequence[Input]) -> list[Input]:
    return list({one.id: one for one in inputs}.values())


def _filled(text: str, fill: dict[str, str]) -> str:
    return SLOT.sub(lambda found: fill[found[1]], text)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
