"""Rounds in which contenders take turns."""
import time

import common
from neighbors import BUSY

EXTRA_ROUNDS = 3  # at most, if other programs disturb some
ROUNDS_MIN = 3  # the number of undisturbed rounds needed to leave out the others


def take_turns(turns, order, neighbors):
    """One round -> ({contender: its answer}, the largest share of the machine that other programs took)"""
    answers, others = {}, 0.0
    for name in order:
        neighbors.wait()
        answers[name] = turns[name]()
        others = max(others, neighbors.share())
    return answers, others


def take_rounds(turns, options, deadline):
    """turns: {contender: a function that gives it a turn} -> {contender: its answers, one for each round}, and a
    remark on disturbed rounds, which are left out if there are enough others. Each round starts with a different
    contender. Without patience, no round is repeated."""
    most = options.rounds + (EXTRA_ROUNDS if options.patience else 0)
    order, calm, disturbed = list(turns), [], []
    while (len(calm) < options.rounds and len(calm + disturbed) < most
           and (len(calm + disturbed) < ROUNDS_MIN or time.monotonic() < deadline)):
        answers, others = take_turns(turns, order, options.neighbors)
        (calm if others <= BUSY else disturbed).append(answers)
        order.append(order.pop(0))
    used = calm if len(calm) >= min(ROUNDS_MIN, options.rounds) else calm + disturbed
    remark = f"{len(calm)} rounds undisturbed, {len(disturbed)} not" + (
        " but used all the same" if disturbed and used is not calm else "")
    return {name: [answers[name] for answers in used] for name in turns}, remark


def medians_of(answers):
    """-> {contender: its median of every round}"""
    return {name: [answer["median_ms"] for answer in rounds] for name, rounds in answers.items()}


def ratio_text(ours, theirs):
    """The rounds' ratios as "median [lowest..highest]"."""
    ratios = [a / b for a, b in zip(ours, theirs)]
    return f"{common.median(ratios):.2f} [{min(ratios):.2f}..{max(ratios):.2f}]"
