"""The series that Prometheus holds of the sites, held against the sites that Git knows."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from generator.lint.finding import count, few
from generator.model.telemetry import OWN_LABELS, RELEASE_INFO
from reconciler.checkup.finding import Finding, failed, passed, unknown, warned

Labels = Mapping[str, str]
# A label that only tells two collectors of the same samples apart.
_POD = frozenset({"instance", "pod", "__name__"})


@dataclass(frozen=True, slots=True)
class Expected:
    """What Git says about one environment.

    Attributes:
        environment: Its name.
        sites: Ids of its sites.
        stable: Model to the release that the stable sites run.
    """

    environment: str
    sites: Collection[str]
    stable: Mapping[str, str]


def reporting(
    where: str, expected: Expected, found: Sequence[Labels], others: Collection[str]
) -> Iterator[Finding]:
    """Who reports, and under names that anybody knows?

    Args:
        where: The metrics API.
        expected: The environment.
        found: Labels of its `model_release_info` series.
        others: Values of `environment` that any such series has.
    """
    check, environment = "metrics.sites", expected.environment
    if not found:
        yield _silence(where, expected, others)
        return
    seen = {labels.get("site", "") for labels in found}
    known = sorted(seen & set(expected.sites))
    strange = sorted(seen - set(expected.sites))
    told = f"{environment}: {len(known)} of {count(len(expected.sites), 'site')} report"
    silent = sorted(set(expected.sites) - seen)
    if 2 * len(known) < len(expected.sites):
        fix = "see that their agents run and send: up, prometheus_remote_storage_samples_failed"
        yield warned(check, where, f"{told}; silent: {few(silent)}", fix)
    else:
        yield passed(check, where, f"{told}; silent: {few(silent)}" if silent else told)
    if strange:
        named = few([one or "(no site label)" for one in strange])
        text = f"{environment}: {count(len(strange), 'site')} in metrics that Git does not know"
        fix = f"let the scrape take site from the pod label: monitoring/fleet/{environment}"
        yield failed(check, where, f"{text}: {named}", f"{fix}/agent.yaml")


def _silence(where: str, expected: Expected, others: Collection[str]) -> Finding:
    environment, check = expected.environment, "metrics.sites"
    fix = f"set up the agent of each site with monitoring/fleet/{environment}/agent.yaml"
    if not expected.stable:
        text = f"{environment}: no model has a baseline yet, so no site can report"
        return unknown(check, where, text, "tidegate promote MODEL@ALIAS --baseline")
    named = f"; it has those of {few(sorted(others))}" if others else ""
    text = f"{environment}: there is no series {RELEASE_INFO} of any site{named}"
    return failed(check, where, text, fix)


def labels(
    where: str, others: Mapping[str, int], served: Collection[str], known: Collection[str]
) -> Iterator[Finding]:
    """Do all series say which environment they are from?

    Args:
        where: The metrics API.
        others: Number of `model_release_info` series by value of `environment`.
        served: Environments that name this API.
        known: Environments in Git.
    """
    check = "metrics.environment"
    missing = others.get("", 0)
    if missing:
        text = f"{missing} series of {RELEASE_INFO} without the label environment"
        fix = "add it where sites are scraped, as monitoring/fleet/<environment>/agent.yaml does"
        if len(others) > 1 or len(served) > 1:
            yield failed(check, where, f"{text}: they are counted in every environment", fix)
        else:
            text = f"{text}: they are judged, and the rules of monitoring/ do not see them"
            yield warned(check, where, text, fix)
    strange = sorted(set(others) - set(known) - {""})
    if strange:
        text = f"series of environments that Git does not know: {few(strange)}"
        yield warned(check, where, text, "write the name that stands in environments/ there")
    if others and not missing and not strange:
        yield passed(check, where, "every series names an environment of Git")


def releases(where: str, expected: Expected, found: Sequence[Labels]) -> Iterator[Finding]:
    """Does any site serve the stable release of each model?"""
    serving = {(one.get("model", ""), one.get("release", "")) for one in found}
    for model, release in sorted(expected.stable.items()):
        check, name = "metrics.release", f"{expected.environment}/{model}"
        if (model, release) in serving:
            yield passed(check, where, f"{name}: {release} is served")
            continue
        other = sorted(one for of, one in serving if of == model)
        said = f"; served: {few(other)}" if other else ""
        text = f"{name}: nobody serves the stable release {release}{said}"
        fix = f"see what Argo CD applies: tidegate status, and the pods of {model} on a site"
        yield failed(check, where, text, fix)


def duplicates(where: str, environment: str, found: Sequence[Labels]) -> Iterator[Finding]:
    """Does every process count once? Two collectors without deduplication count it twice."""
    check = "metrics.twice"
    groups: dict[tuple[str, ...], list[Labels]] = {}
    for one in found:
        key = tuple(one.get(name, "") for name in (*OWN_LABELS, "instance", "pod"))
        groups.setdefault(key, []).append(one)
    twice = [group for group in groups.values() if len(group) > 1]
    if not twice:
        if found:
            yield passed(check, where, f"{environment}: every process is counted once")
        return
    first = twice[0]
    differing = sorted(
        name
        for name in {key for one in first for key in one} - _POD
        if len({one.get(name) for one in first}) > 1
    )
    more = f", and {len(twice) - 1} further ones" if len(twice) > 1 else ""
    text = (
        f"{environment}: a process on {first[0].get('site', '')} is counted {len(first)} times"
        f"{more}: the series differ in {few(differing)}"
    )
    fix = "let the store deduplicate, or drop that label where one of the collectors sends"
    yield failed(check, where, text, fix)


def contract(where: str, name: str, counted: Mapping[str, int]) -> Iterator[Finding]:
    """Are the series there that the objectives are judged by?

    Args:
        where: The metrics API.
        name: Environment and model.
        counted: Number of series of each selector.
    """
    check = "metrics.contract"
    missing = [text for text, number in counted.items() if not number]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        text = f"{name}: no series matches {missing[0]}{more}: its objectives stay without data"
        fix = f"correct objectives: in models/{name.rpartition('/')[2]}/model.yaml, or the server"
        yield failed(check, where, text, fix)
    elif counted:
        yield passed(check, where, f"{name}: every objective has its series")
