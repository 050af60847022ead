"""Plots as SVG: some lines over a logarithmic axis, each point with its least and its most."""

import math
from html import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 40, 50
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES = ("", "6 3", "2 3")


def short(number):
    """A number for an axis: 10 k, 1.5 M."""
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


def ticks_of(top):
    """About five round numbers from 0 up to at least `top`."""
    step = 10 ** math.floor(math.log10(top))
    step = next(step * part for part in (0.2, 0.5, 1, 2) if top / (step * part) <= 6)
    return [step * number for number in range(math.ceil(top / step) + 1)]


def decades(bottom, top):
    return [10.0 ** power for power in range(math.floor(math.log10(bottom)), math.ceil(math.log10(top)) + 1)]


def plot(title, x_label, y_label, series, names_of_x, logarithmic=False):
    """The text of an SVG file.

    `series` has for each name a list of (x, median, least, most), `names_of_x` the text of each x on the axis. The y
    axis begins at 0, or is logarithmic.
    """
    points = [point for line in series.values() for point in line]
    xs = sorted({point[0] for point in points})
    most = max(point[3] for point in points)
    ticks = decades(min(point[2] for point in points), most) if logarithmic else ticks_of(most)

    def across(x):
        span = math.log(xs[-1] / xs[0]) or 1
        return LEFT + math.log(x / xs[0]) / span * (WIDTH - LEFT - RIGHT)

    def up(y):
        part = math.log(y / ticks[0]) / math.log(ticks[-1] / ticks[0]) if logarithmic else y / ticks[-1]
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text x="16" y="{(TOP + HEIGHT - BOTTOM) / 2:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2:.0f})">{escape(y_label)}</text>',
    ]
    for tick in ticks:
        y = up(tick)
        lines.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
                     f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{short(tick)}</text>')
    for x in xs:
        lines.append(f'<path d="M{across(x):.1f} {HEIGHT - BOTTOM}v5" stroke="black"/>'
                     f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
                     f'{escape(names_of_x[x])}</text>')
    lines.append(f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="black"/>')
    for number, (name, line) in enumerate(series.items()):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        path = "L".join(f"{across(x):.1f} {up(middle):.1f}" for x, middle, _, _ in line)
        lines.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
        for x, middle, least, highest in line:
            lines.append(f'<path d="M{across(x):.1f} {up(least):.1f}V{up(highest):.1f}" stroke="{colour}"/>'
                         f'<circle cx="{across(x):.1f}" cy="{up(middle):.1f}" r="3" fill="{colour}"/>')
        y = TOP + 10 + 20 * number
        lines.append(f'<path d="M{WIDTH - RIGHT + 15} {y}h30" stroke="{colour}" stroke-width="2" '
                     f'stroke-dasharray="{dash}"/><text x="{WIDTH - RIGHT + 52}" y="{y + 4}">{escape(name)}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"
