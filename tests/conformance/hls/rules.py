"""The registry of rules. A rule is a function (timeline, check) that calls check(condition, text, values…) once for
each thing it looks at. A rule that never calls it was not exercised."""
import importlib
from dataclasses import dataclass, field

FILES = ("syntax", "reload", "blocking", "media", "delivery")
MUST, SHOULD = "MUST", "SHOULD"
OURS = "ours"  # what this project promises beyond the draft
KEPT = 3       # pieces of evidence that are kept of each rule

# What a stream has to offer for a rule to apply at all.
NEEDS = {
    "parts": lambda t: t.low_latency,
    "blocking": lambda t: t.can_block,
    "skip": lambda t: t.can_skip,
    "no-skip": lambda t: not t.can_skip,
    "end": lambda t: t.ended,
    "multivariant": lambda t: t.multivariant is not None,
    "profile": lambda t: t.profile is not None,
    "economy": lambda t: t.profile == "economy",
    "live": lambda t: not t.ended,
}

registry = {}


@dataclass
class Rule:
    """One rule of the draft, or of ours."""
    name: str
    section: str
    level: str
    function: object
    needs: tuple
    occasional: bool  # only something that does not happen in every stream exercises it

    @property
    def title(self):
        return " ".join(self.function.__doc__.split())


@dataclass
class Finding:
    """What came of one rule."""
    rule: Rule
    applies: bool = True
    checks: int = 0
    violations: int = 0
    evidence: list = field(default_factory=list)

    def __call__(self, condition, text, *values):
        self.checks += 1
        if condition:
            return
        self.violations += 1
        if len(self.evidence) < KEPT:
            self.evidence.append(text % values if values else text)

    @property
    def verdict(self):
        if self.violations:
            return "VIOLATED"
        if self.checks:
            return "ok"
        return "not exercised" if self.applies else "does not apply"


def rule(name, section, level, *needs, occasional=False):
    """Decorator: the function's docstring is the rule in a sentence."""
    def register(function):
        assert name not in registry and function.__doc__, name
        registry[name] = Rule(name, section, level, function, needs, occasional)
        return function
    return register


def judge(timeline):
    """Every rule's Finding, in the order of the files."""
    for name in FILES:
        importlib.import_module(f".rules_{name}", __package__)  # it registers its rules
    found = []
    for one in registry.values():
        finding = Finding(one, all(NEEDS[need](timeline) for need in one.needs))
        if finding.applies:
            one.function(timeline, finding)
        found.append(finding)
    return found
