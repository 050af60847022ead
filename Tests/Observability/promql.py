"""As much of PromQL's grammar as it takes to list what an expression reads."""

import re

# Names that stand where a metric's could: functions and aggregations are told by the parenthesis behind them.
KEYWORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool",
            "inf", "nan"}


def without_strings(expression):
    """The expression with each string as `$n`, and the strings."""
    strings = []

    def keep(match):
        strings.append(match[0])
        return f"${len(strings) - 1}$"
    return re.sub(r'"(?:[^"\\]|\\.)*"', keep, expression), strings


def selectors(expression):
    """The vector selectors in it, without ranges: `name{matchers}` as written."""
    text, strings = without_strings(expression)
    text = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", text)
    text = re.sub(r"\[[^\]]*\]", " ", text)
    found = []
    for match in re.finditer(r"(?<![\w:.])([A-Za-z_:][\w:]*)\s*(\{[^}]*\})?", text):
        behind = text[match.end():].lstrip()
        if match[2] is None and (behind.startswith("(") or match[1].lower() in KEYWORDS):
            continue
        found.append(re.sub(r"\$(\d+)\$", lambda number: strings[int(number[1])], match[1] + (match[2] or "")))
    return found


def grouping_labels(expression):
    """The labels in by (…), on (…) and the like."""
    text, _ = without_strings(expression)
    lists = re.findall(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", text)
    return {label.strip() for labels in lists for label in labels.split(",") if label.strip()}


def matcher_labels(selector):
    """The labels in its braces."""
    text, _ = without_strings(selector)
    return set(re.findall(r"([A-Za-z_]\w*)\s*(?:=~|!~|!=|=)", text))


def metric(selector):
    """Its name."""
    return selector.partition("{")[0]
