"""Results as files: JSON for each group of cases, plots, and the Markdown that Docs/Performance.md shows."""

import datetime
import json
import os
import platform
import re
import subprocess
import textwrap

from .processes import Failure, run

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def commit_of(programs):
    """The commit that the programs say they were built from, or the last one here that changed the sources."""
    version = run([f"{programs}/kv-service", "--version"], 10)
    found = re.search(r"\(commit ([0-9a-f]{7,})", version)
    if found:
        return found[1]
    here = ["git", "-C", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")]
    sources = ["--", "Sources", "Package.swift"]
    try:
        commit = run([*here, "log", "-1", "--format=%h", *sources], 10).strip()
        changed = run([*here, "status", "--porcelain", "--untracked-files=no", *sources], 10).strip()
    except Failure:
        return "unknown"
    return commit + (" with changes" if changed else "")


def machine(folder):
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.machine())
    disk = run(["df", "--output=fstype", folder], 10).split()[-1]
    return f"{len(os.sched_getaffinity(0))} × {model}, Linux {platform.release()}, {disk}"


def peers():
    """The versions of the peers that are installed."""
    commands = {"Redis": ["redis-server", "--version"], "nginx": ["nginx", "-v"], "etcd": ["etcd", "--version"],
                "webdis": ["dpkg-query", "--show", "--showformat=${Version}", "webdis"], "wrk": ["wrk", "-v"]}
    found = {}
    for name, command in commands.items():
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False,
                                  env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
        except OSError:
            continue
        if version := re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr):
            found[name] = version[0]
    return found


class Results:
    """A folder with what runs found. A group that is measured again replaces its figures."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(f"{path}.new", path)

    def write_group(self, name, facts, rows, runs):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        # One run a line: a later run then shows in a diff what has changed.
        text = json.dumps({"group": name, "date": now, **facts, "rows": "ROWS", "runs": "RUNS"}, indent=1,
                          ensure_ascii=False)
        rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows)
        cases = ",\n  ".join(
            f"{json.dumps(case, ensure_ascii=False)}: [\n   "
            + ",\n   ".join(json.dumps({key: round(value, 4) for key, value in figures.items()}) for figures in each)
            + "]" for case, each in runs.items())
        text = text.replace('"ROWS"', f"[\n  {rows}]").replace('"RUNS"', f"{{\n  {cases}}}")
        self.write(f"{name}.json", text + "\n")

    def groups(self, order):
        """What is there, in this order."""
        found = []
        for name in order:
            path = os.path.join(self.folder, f"{name}.json")
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    found.append(json.load(file))
        return found


def table(rows):
    """Rows as Markdown: the value with its spread, the target, met or missed."""
    lines = ["| case | figure | ours | beside | value (least to most) | target | |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        unit = f" {row['unit']}" if row["unit"] else ""
        digits = 2 if row["value"] < 100 else 0
        value = f"{row['value']:,.{digits}f}{unit}"
        if row["least"] != row["most"]:
            value += f" ({row['least']:,.{digits}f} to {row['most']:,.{digits}f})"
        verdict = {True: "met", False: "**missed**", None: ""}[row["met"]]
        lines.append(f"| {row['case']} | {row['figure']} | {row['ours']} | {row['peer']} | {value} "
                     f"| {row['target']}{unit if row['target'] else ''} | {verdict} |")
    return "\n".join(lines) + "\n"


def markdown(groups, titles):
    """All groups with what they were measured with."""
    parts = []
    for group in groups:
        facts = [f"{group['date']}, commit {group['commit']}", group["machine"],
                 ", ".join(f"{name} {version}" for name, version in group["peers"].items()),
                 f"{group['rounds']} {'round' if group['rounds'] == 1 else 'rounds'} of {group['seconds']} s"]
        if group.get("remark"):
            facts.append(group["remark"])
        parts.append(f"### {titles[group['group']]}\n\n" + textwrap.fill("; ".join(facts) + ".", 120) + "\n\n"
                     + (table(group["rows"]) if group["rows"] else "")
                     + "".join(f"\n![{name}](../Benchmarks/results/{name})\n" for name in group.get("plots", [])))
    rows = [row for group in groups for row in group["rows"] if row["met"] is not None]
    missed = sum(not row["met"] for row in rows)
    return f"{len(rows)} targets, {len(rows) - missed} met, {missed} missed.\n\n" + "\n".join(parts)


def instruction_table(folder):
    """The stored instruction counts as Markdown, if there are some."""
    path = os.path.join(folder, "instructions.json")
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        stored = json.load(file)
    lines = ["\n### Instructions per request\n",
             f"`Benchmarks/instructions FOLDER --store`, {stored['date']}, commit {stored['commit']}, "
             f"{stored['valgrind']}.\n", "| case | instructions in user mode |", "| --- | --- |"]
    lines += [f"| {case} | {count:,} |" for case, count in stored["instructions_per_request"].items()]
    return "\n".join(lines) + "\n"


def put_into(path, text):
    """Replaces what is between the two marks of a document."""
    with open(path, encoding="utf-8") as file:
        document = file.read()
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Failure(f"{path} has no lines {BEGIN} and {END}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
