"""Three single-threaded servers behind HAProxy (deploy/haproxy.cfg). First single requests: the server that
computes one is killed, or the first servers are full. Then a minute of load: one server is killed and comes
back, one drains and comes back, one restarts without notice. Every request gets a 200 with the same bytes as
without HAProxy. Only requests that do not fit HAProxy's buffer, or whose answer does not, may be lost, with
the server that is killed or restarted, never with the one that drains."""
import contextlib
import json
import random
import tempfile
import threading
import time

from balancer import BUFFER_BYTES, SERVERS, Balancer, free_port
import client
import harness
import soak

SECONDS, SECONDS_FULL = 60, 300
DRAIN_DELAY_MS = "3000"
WORKERS, LARGE_WORKERS = 6, 2
LISTINGS = [str(harness.ROOT / f"configs/models/listing{name}.json")
            for name in ("1-pytorch-ppm", "2-pytorch-psp")]
FITS, FITS_NOT = (1, 4, 124, 124), (1, 4, 130, 130)  # 246 and 270 KB; a buffer is 262 KB


class Replica:
    """A server that can be restarted at the same address."""

    def __init__(self, models, *flags):
        self.address = f"127.0.0.1:{free_port()}"
        self.flags = ["--port", self.address.rpartition(":")[2], "--threads", "1", "--log-level", "warn",
                      *flags]
        for model in models:
            self.flags += ["--model", model]
        self.server = None
        self.start()

    def start(self):
        self.server = harness.Server(*self.flags)

    def holds(self):
        """Whether it has a body: HAProxy's checks, and requests for metrics, have none."""
        return self.server.metric("ppm_bytes_in_flight") > 0

    def computed(self):
        return self.server.metric("ppm_compute_seconds_count")

    def kill(self):
        self.server.process.kill()
        self.server.process.wait()
        self.server.end()

    def stop(self):
        """Sends SIGTERM; returns the exit status and the log."""
        status, log = self.server.stop(), self.server.log()
        self.server.end()
        return status, log


def requests():
    """Requests in every form, that take microseconds or wait in the queue, small or larger than a buffer."""
    for target, shape in (("/ppm", (1, 4, 30, 30)), ("/ppm", (1, 4, 200, 200)), ("/ppm/busy", (1, 4, 24, 24)),
                          ("/ppm/listing2-pytorch-psp", (1, 3, 30, 30))):
        for query, form, body in soak.bodies(shape, seed=len(target)):
            yield client.request_bytes("POST", target + query, body, [f"Content-Type: {form}"])
    _, raw = client.tensor(1, 4, 30, 30)
    v2 = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4, 30, 30],
                      "data": memoryview(raw).cast("f").tolist()}]}
    yield client.request_bytes("POST", "/v2/models/listing1-pytorch-ppm/infer",
                               json.dumps(v2).encode(), ["Content-Type: application/json"])
    yield client.request_bytes("GET", "/ppm")


def cases(models):
    """Pairs of a request and its answer without HAProxy: those that fit the buffer in both directions, and
    the others."""
    flags = [text for model in models for text in ("--model", model)]
    with harness.Server("--threads", "1", "--log-level", "warn", *flags) as server:
        found = [(request, soak.server_answer(server, request).body) for request in requests()]
    small = [case for case in found if max(map(len, case)) < BUFFER_BYTES - 2000]
    return small, [case for case in found if case not in small]


@contextlib.contextmanager
def replicas_of(models, *flags_of_each):
    replicas = []
    try:
        for flags in flags_of_each:
            replicas.append(Replica(models, *flags))
        with Balancer([replica.address for replica in replicas]) as balancer:
            yield replicas, balancer
    finally:
        for replica in replicas:
            replica.server.end()


def post(model, shape):
    query, body = client.tensor(*shape)
    return client.request_bytes("POST", f"/ppm/{model}{query}", body)


def kill_who_computes(replicas, balancer, request):
    """Returns the answer to a request whose first server is killed while computing it."""
    with balancer.connect() as connection:
        connection.sendall(request)
        harness.wait_until(lambda: any(replica.holds() for replica in replicas), 20, "one computes it")
        found = next(replica for replica in replicas if replica.holds())
        found.kill()
        answer = client.read_answer(connection)
    found.start()
    balancer.wait_for(len(replicas))
    return answer


def one_by_one(report, models, slow):
    """What HAProxy does when a server dies with a request, and when a server is full."""
    fits, fits_not, short = post(slow, FITS), post(slow, FITS_NOT), post(slow, (1, 4, 30, 30))
    with replicas_of(models, *3 * [("--queue-max", "1")]) as (replicas, balancer):
        expected = soak.server_answer(replicas[0].server, fits).body
        answer = kill_who_computes(replicas, balancer, fits)
        report.say(f"{len(fits)} bytes, computed by a server that is killed: {answer.status}")
        report.expect(answer.status == 200 and answer.body == expected,
                      "a request that fits the buffer is computed by another server")
        answer = kill_who_computes(replicas, balancer, fits_not)
        report.say(f"{len(fits_not)} bytes, computed by a server that is killed: {answer.status}")
        report.expect(answer.status == 502, "a request that does not fit gets a 502, as docs/cluster.md says")
        expected, retries = soak.server_answer(replicas[2].server, short).body, balancer.retries()
        with contextlib.ExitStack() as stack:
            for replica in replicas[:2] * 2:  # one is computed, one waits
                connection = stack.enter_context(replica.server.connect())
                connection.sendall(post(slow, (4, 4, 200, 200)))
                harness.wait_until(lambda r=replica: r.holds(), 20, "it computes")
            for replica in replicas[:2]:
                harness.wait_until(lambda r=replica: r.server.metric("ppm_queue_depth") == 1, 20, "full")
            statuses = [balancer_answer(balancer, short, expected) for _ in range(6)]
            report.expect(all(r.server.metric("ppm_queue_depth") == 1 for r in replicas[:2]),
                          "two servers were full all the time")
        retries = balancer.retries() - retries
        report.say(f"two of three servers full: {statuses}, {retries:.0f} times another server")
        report.expect(set(statuses) == {200} and retries > 0, "if a server is full, another one computes")


def balancer_answer(balancer, request, expected):
    # If HAProxy still counted a request at the third server, it would ask the two full ones in turn.
    harness.wait_until(lambda: balancer.in_flight() == 0, 20, "HAProxy has finished all requests")
    with balancer.connect() as connection:
        answer = client.exchange(connection, request)
    return answer.status if answer.body == expected else f"{answer.status}: {answer.body[:100]}"


class Worker(threading.Thread):
    """Sends one request after another, over one connection or a new one for each."""

    def __init__(self, connect, cases, number, stage):
        super().__init__(daemon=True)
        self.connect, self.cases, self.numbers, self.stage = connect, cases, random.Random(number), stage
        self.is_lasting = number % 2 == 0
        self.seconds, self.failures, self.connection = [], [], None

    def run(self):
        while self.stage.name:
            request, expected = self.numbers.choice(self.cases)
            stages, begun, trouble = {self.stage.name}, time.monotonic(), None
            try:
                trouble = self.ask(request, expected)
            except (client.Lost, OSError) as error:
                trouble = f"{type(error).__name__}: {error}"
                self.leave()
            self.seconds.append((self.stage.name, time.monotonic() - begun))
            if trouble:
                stages.add(self.stage.name)
                self.failures.append((stages, f"{request[:40]}: {trouble}"))

    def ask(self, request, expected):
        """What is wrong with the answer, or None."""
        if not self.connection:
            self.connection = self.connect()
        answer = client.exchange(self.connection, request)
        if not self.is_lasting or answer.headers.get("connection") == "close":
            self.leave()
        if answer.status != 200:
            return f"{answer.status} {answer.body[:200]}"
        return None if answer.body == expected else f"another answer of {len(answer.body)} bytes"

    def leave(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Stage:
    """What happens to the servers, by name; workers end when it is empty."""

    def __init__(self, report, balancer, seconds):
        self.report, self.balancer, self.seconds, self.name = report, balancer, seconds, "all three"

    def begin(self, name):
        self.report.say(f"{name} ({self.balancer.retries():.0f} times another server so far)")
        self.name = name

    def rest(self):
        time.sleep(self.seconds / 7)


KILLED, STOPPED = "ppm1 is killed", "ppm3 stops without notice and starts again"


def trouble(report, stage, balancer, replicas):
    """A minute in the life of three servers."""
    killed, drained, stopped = replicas
    stage.rest()
    stage.begin(KILLED)
    harness.wait_until(lambda: killed.server.metric("ppm_requests_in_flight") > 2, 20, "it has two requests at once")
    killed.kill()
    stage.rest()
    stage.begin("ppm1 starts again")
    killed.start()
    balancer.wait_for(3)
    stage.rest()
    stage.begin("ppm2 drains")
    status, log = drained.stop()
    report.expect(status == 0, f"a drained server exits with 0: {status} {log[-300:]}")
    stage.rest()
    stage.begin("ppm2 starts again")
    drained.start()
    balancer.wait_for(3)
    stage.rest()
    stage.begin(STOPPED)
    status, log = stopped.stop()
    report.expect(status == 0, f"a stopped server exits with 0: {status} {log[-300:]}")
    stopped.start()
    stage.rest()
    stage.begin("all three again")
    balancer.wait_for(3)
    before = [replica.computed() for replica in replicas]
    stage.rest()
    after = [replica.computed() for replica in replicas]
    report.expect(all(b < a for b, a in zip(before, after)), "all three compute in the end")


def judge(report, workers, large_workers):
    failures = [text for worker in workers for _, text in worker.failures]
    report.say(f"{sum(len(worker.seconds) for worker in workers)} requests that fit, "
               f"{len(failures)} failures {failures[:3] or ''}")
    report.expect(not failures, "every request that fits HAProxy's buffer is answered 200 and right")
    lost = [failure for worker in large_workers for failure in worker.failures]
    elsewhere = [text for stages, text in lost if not stages & {KILLED, STOPPED}]
    report.say(f"{sum(len(worker.seconds) for worker in large_workers)} larger requests, {len(lost)} lost "
               f"with the server that was killed or stopped without notice, {len(elsewhere)} elsewhere "
               f"{elsewhere[:3] or ''}")
    report.expect(not elsewhere, "no larger request is lost elsewhere, least of all by a drain")
    for worker in large_workers:
        for name in (KILLED, STOPPED):
            # one in flight at the server, one over a connection that HAProxy does not know is closed
            report.expect(sum(name in stages for stages, _ in worker.failures) <= 2,
                          f"a client loses two larger requests at most when {name}")
    report.expect(all(len(worker.seconds) > 50 for worker in workers), "there was load")


def tell_times(report, workers):
    stages = dict.fromkeys(name for worker in workers for name, _ in worker.seconds if name)
    for name in stages:
        took = [seconds for worker in workers for at, seconds in worker.seconds if at == name]
        report.say(f"{name}: {len(took)} requests, {harness.spread(took)}")
    report.say(f"all: {harness.spread([took for worker in workers for _, took in worker.seconds])}")


def under_load(report, models, small, large, seconds):
    notice, none = ("--drain-delay-ms", DRAIN_DELAY_MS), ("--drain-delay-ms", "0")
    with replicas_of(models, notice, notice, none) as (replicas, balancer):
        stage = Stage(report, balancer, seconds)
        workers = [Worker(balancer.connect, small, number, stage) for number in range(WORKERS)]
        large_workers = [Worker(balancer.connect, large, number, stage)
                         for number in range(LARGE_WORKERS)]
        for worker in workers + large_workers:
            worker.start()
        try:
            trouble(report, stage, balancer, replicas)
        finally:
            stage.name = ""
            for worker in workers + large_workers:
                worker.join(90)
        report.expect(not any(worker.is_alive() for worker in workers + large_workers),
                      "all workers end")
        judge(report, workers, large_workers)
        report.say(f"HAProxy asked another server {balancer.retries():.0f} times")
        report.expect(balancer.retries() > 0, "HAProxy asked another server")
        tell_times(report, workers)


def test(report, is_full):
    report.expect(len(SERVERS) == 3, "deploy/haproxy.cfg has three servers")
    with tempfile.TemporaryDirectory() as folder:
        layers = 5 * [{"conv": {"channels": 256, "kernel": 3}}]
        slow = harness.write_model(folder, "slow", head=layers)
        one_by_one(report, [slow], "slow")
        models = [*LISTINGS, harness.write_model(folder, "busy")]
        small, large = cases(models)
        report.say(f"{len(small)} requests that fit the buffer, as do their answers: "
                   f"{', '.join(f'{len(request)} -> {len(body)}' for request, body in small)} bytes; "
                   f"{len(large)} larger ones")
        report.expect(len(small) >= 5 and len(large) >= 5, "there are several of both")
        under_load(report, models, small, large, SECONDS_FULL if is_full else SECONDS)
