"""The form of plans: what is written can be read again, and what is no plan gets one clear error."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Literal

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stepwell.analysis.form import FormError, plain
from stepwell.analysis.plans import Budget, Figure, Gain, Plan, PlanError, Setting, Target, dump, load, schema
from stepwell.analysis.plans.model import MODES, POLICIES

MEMORY = 1 << 30
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=41)
FORMS = st.sampled_from(["yaml", "json"])


@st.composite
def gains(draw: st.DrawFn) -> Gain:
    low, high = sorted(draw(st.tuples(*[st.integers(1, 1 << 40)] * 2)))
    return Gain(low, high)


@st.composite
def targets(draw: st.DrawFn) -> Target:
    policy = draw(st.sampled_from(POLICIES))
    block = draw(st.none() | st.integers(512, 1 << 20))
    return Target(
        path=draw(TEXTS),
        policy=policy,
        reason=draw(TEXTS),
        workload=draw(st.none() | TEXTS),
        block_bytes=block,
        in_flight=draw(st.none() | st.integers(1, 256)),
        window_bytes=draw(st.none() | st.integers(block or 1, MEMORY)),
        stride_bytes=draw(st.integers(-(1 << 60), -1) | st.integers(1, 1 << 60)) if policy == "strided" else None,
        order_file="order.txt" if policy == "order" else None,
        gain=draw(st.none() | gains()),
        inputs=tuple(
            Figure(draw(TEXTS), number, "ns") for number in draw(st.lists(st.integers(-(1 << 62), 1 << 62), max_size=3))
        ),
    )


PLANS = st.builds(
    Plan,
    version=st.just(1),
    mode=st.sampled_from(MODES),
    budget=st.builds(
        Budget,
        memory_bytes=st.integers(MEMORY, 1 << 60),
        in_flight=st.integers(1, 256),
        bandwidth_bytes_s=st.none() | st.integers(1, 1 << 60),
    ),
    targets=st.lists(targets(), max_size=3).map(tuple),
    settings=st.lists(
        st.builds(
            Setting,
            *[TEXTS] * 7,
            gain=st.none() | gains(),
        ),
        max_size=2,
    ).map(tuple),
    trace=st.none() | st.integers(1, 1 << 60),
)


@given(PLANS, FORMS)
def test_what_is_written_is_read_again_and_as_the_schema_says(plan: Plan, form: Literal["yaml", "json"]) -> None:
    text = dump(plan, form)
    assert load(text) == plan
    assert dump(load(text), form) == text
    jsonschema.validate(yaml.safe_load(text) if form == "yaml" else json.loads(text), schema())


@pytest.mark.parametrize(
    "text", ["\x85", "a\u2028b", "\ufeff", "\t", " a ", "on", "1e3", "~", "0x1f", "2026-11-25", "- a", "\r\n"]
)
def test_text_that_yaml_may_take_for_something_else_stays_what_it_is(text: str) -> None:
    plan = Plan(1, "auto", Budget(MEMORY, 1), (Target(text, "none", text),))
    assert load(dump(plan)) == plan


def test_the_schema_is_one_and_says_what_every_field_is() -> None:
    form = schema()
    jsonschema.Draft202012Validator.check_schema(form)
    assert form["required"] == ["version", "mode", "budget", "targets"]

    def walk(one: dict[str, Any], where: str) -> None:
        assert one["type"] not in {"number", "null"}, f"{where}: floats and nulls have no place in a plan"
        if where:
            assert one["description"], where
        for name, field in one.get("properties", {}).items():
            assert "description" in field, f"{where}.{name}"
            walk(field, f"{where}.{name}")
        if one["type"] == "array":
            walk(one["items"], f"{where}[]")
        if one["type"] == "integer":
            assert "minimum" in one, where
            assert one["maximum"] < 1 << 63, where

    walk(form, "")


def example() -> dict[str, Any]:
    target = Target("/data", "strided", "read in steps", block_bytes=4096, window_bytes=8192, stride_bytes=1 << 20)
    plan = Plan(1, "auto", Budget(MEMORY, 32), (target,))
    found: dict[str, Any] = plain(plan)
    return found


def changed(**fields: Any) -> str:
    return yaml.safe_dump(example() | fields)


def target(**fields: Any) -> str:
    return changed(targets=[example()["targets"][0] | fields])


def without(name: str) -> str:
    return yaml.safe_dump({key: value for key, value in example().items() if key != name})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changed(version=0), "version is 0; it may be an integer from 1 to 1"),
        (changed(version=True), "version is True; it must be an integer"),
        (changed(mode="on"), "mode is 'on'; it may be one of observe, recommend, auto"),
        (changed(mode=None), "mode is empty; it must be text"),
        (changed(moed="auto"), "moed is no field; there are version, mode, budget, targets, settings, trace"),
        (without("budget"), "budget is missing"),
        (changed(budget=[]), "budget is a list; it must be a mapping of fields to values"),
        (changed(targets={}), "targets is a mapping; it must be a list"),
        (changed(targets=[example()["targets"][0] for _ in range(1001)]), "targets has 1,001 entries"),
        (target(block_bytes=511), "targets[0].block_bytes is 511; it may be an integer from 512 to 1073741824"),
        (target(block_bytes=4096.0), "targets[0].block_bytes is 4096.0; it must be an integer"),
        (target(block_bytes="4 KiB"), "targets[0].block_bytes is '4 KiB'; it must be an integer"),
        (target(policy="sideways"), "targets[0].policy is 'sideways'; it may be one of none, sequential,"),
        (target(policy="order"), "order_file of '/data' is missing; policy order needs it"),
        (target(window_bytes=4095), "window_bytes of '/data' is 4095; it may be block_bytes at least"),
        (target(window_bytes=MEMORY + 1), f"targets[0].window_bytes is {MEMORY + 1}; it may be budget.memory_bytes"),
        (target(gain={"low_permille": 3, "high_permille": 2}), "gain.low_permille is 3; it may be high_permille"),
        (target(path="\x1b[31m" * 1000), "targets[0].path has 5,000 characters; it may have 4,096"),
        (json.dumps(example() | {"mode": "\ud800"}), "mode is '\\ud800'; it must be text that UTF-8 can write"),
        (changed(trace=1 << 997), "trace is an integer of 998 bits; it may be an integer from 1 to"),
        ("", "the document is empty; it must be a mapping"),
        ("- 1", "the document is a list; it must be a mapping"),
        ("a: &x [1]\nb: *x", "line 1: anchors and aliases are not allowed"),
        ("<<: *x", "line 1: anchors and aliases are not allowed"),
        ("mode: auto\nmode: observe", "line 1: a key is given twice"),
        ("[" * 50_000, "it is nested too deeply"),
        ('{"a":' * 50_000, "it is nested too deeply"),
        ("mode: !!python/object/apply:os.system ['true']", "line 1: could not determine a constructor"),
        ("trace: " + "9" * 5_000, "Exceeds the limit"),
        ("trace: 2026-99-99", "month must be in 1..12"),
        ("a: [", "line 1: expected the node content"),
        ("? [a]\n: b", "line 1: found unhashable key"),
        ("\x00", "unacceptable character #x0000"),
        ("{", "Expecting property name"),
        (" " * ((4 << 20) + 1), "has 4,194,305 characters, a plan has 4,194,304 at most"),
    ],
)  # fmt: skip
def test_what_is_no_plan_gets_one_clear_error(text: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        load(text, "plan.yaml")
    message = str(caught.value)
    assert message.startswith("plan.yaml")
    assert said in message
    assert "\n" not in message
    assert message.isprintable()
    assert message.endswith(("`stepwell plan --schema` says what each field may be", "choose another file"))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("fields", [{}, {"moed": "auto"}, {"targets": "all"}])
def test_a_plan_of_a_later_version_is_told_as_that(fields: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match=r"^plan\.yaml has version 2, this Stepwell knows 1; upgrade Stepwell, or make"):
        load(changed(version=2, **fields), "plan.yaml")


@given(st.text(max_size=97) | st.binary(max_size=97).map(lambda octets: octets.decode("latin-1")))
def test_any_text_is_a_plan_or_one_error(text: str) -> None:
    with pytest.raises(PlanError):
        load(text)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, lambda one: st.lists(one, max_size=3)), st.data()
)
def test_any_value_in_any_place_is_a_plan_or_one_error(value: Any, data: st.DataObject) -> None:
    document = example()
    place = data.draw(st.sampled_from([document, document["budget"], document["targets"][0]]))
    place[data.draw(st.sampled_from(sorted(place)))] = value
    try:
        plan = load(json.dumps(document))
    except PlanError:
        return
    assert load(dump(plan)) == plan


@given(PLANS, st.integers(1 << 20, 1 << 40), st.integers(1, 256))
def test_a_plan_fits_any_budget(plan: Plan, memory: int, in_flight: int) -> None:
    budget = Budget(memory, in_flight)
    held = plan.within(budget)
    assert load(dump(held)) == held
    assert held.budget == budget
    for one, other in zip(held.targets, plan.targets, strict=True):
        assert one.window_bytes == (other.window_bytes and min(other.window_bytes, memory))
        assert one.in_flight == (other.in_flight and min(other.in_flight, in_flight))
    assert held.within(budget) == held


def test_a_plan_that_contradicts_itself_cannot_be_made() -> None:
    plan = load(yaml.safe_dump(example()))
    with pytest.raises(FormError, match="memory_bytes"):
        replace(plan, budget=Budget(1 << 20, 1), targets=(replace(plan.targets[0], window_bytes=1 << 21),))
