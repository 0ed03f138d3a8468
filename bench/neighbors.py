"""The load from other programs during a measurement."""
import os
import resource
import time

TICKS = os.sysconf("SC_CLK_TCK")
BUSY = 0.05  # of all cores; more counts as a disturbance


def machine_seconds():
    """-> (busy, all) of all cores since the start; time taken by a hypervisor counts as busy"""
    with open("/proc/stat", encoding="ascii") as lines:
        ticks = [int(field) for field in next(lines).split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / TICKS, sum(ticks) / TICKS


def process_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def own_seconds(pids):
    """The CPU time of this program, its ended children, and the processes with these pids."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(map(process_seconds, pids)) + sum(u.ru_utime + u.ru_stime for u in usages)


class Neighbors:
    """pids: children that keep running."""

    WAIT_S = 0.2

    def __init__(self, patience, pids=()):
        self.patience = patience
        self.pids = pids
        self.begin()

    def begin(self):
        self.start = (*machine_seconds(), own_seconds(self.pids))

    def share(self):
        """The share of all cores that others took since begin(), 0 to 1."""
        busy, total = machine_seconds()
        busy_before, total_before, own_before = self.start
        others = busy - busy_before - (own_seconds(self.pids) - own_before)
        return max(0.0, others / max(total - total_before, 1 / TICKS))

    def wait(self):
        """Waits until other programs are quiet, or patience runs out; then calls begin(). Our own children
        must not compute: a child that spins between its turns counts as another program."""
        pids, self.pids = self.pids, ()
        while self.patience > 0:
            self.begin()
            time.sleep(self.WAIT_S)
            if self.share() <= BUSY:
                break
            self.patience -= self.WAIT_S
        self.pids = pids
        self.begin()
