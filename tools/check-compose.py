#!/usr/bin/python3
"""usage: tools/check-compose.py     by "make check-compose"

deploy/compose.yaml: valid to docker compose, and every file, port, path and name in it is there.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.parse

import yaml

DEPLOY = pathlib.Path(__file__).resolve().parent.parent / "deploy"
FILE = DEPLOY / "compose.yaml"
failures = 0


def check(what, found, expected):
    """One line: what was found, and what was expected where that is something else."""
    global failures
    if found == expected:
        print(f"  ok    {what}: {found}")
    else:
        failures += 1
        print(f"  FAIL  {what}: found {found}, expected {expected}")


def check_valid():
    plugin = shutil.which("docker") and not subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False).returncode
    command = ["docker", "compose"] if plugin else ["docker-compose"]
    done = subprocess.run([*command, "--file", str(FILE), "config", "--quiet"],
                          capture_output=True, text=True, check=False)
    check(f"{' '.join(command)} config", done.stderr.strip() or done.returncode, 0)


def read(path):
    """YAML, with ${NAME:-DEFAULT} as it is where NAME is not set."""
    return yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", path.read_text()))


def seconds(text):
    return sum(int(n) * {"s": 1, "m": 60}[unit] for n, unit in re.findall(r"(\d+)([ms])", text))


def number_of_bytes(text):
    return int(text[:-1]) << {"k": 10, "m": 20, "g": 30}[text[-1]]


class Service:
    def __init__(self, name, keys, volumes):
        self.name, self.keys = name, keys
        self.ports = {int(inside): address for address, _, inside in
                      (port.split(":") for port in keys["ports"])}
        self.files, unknown = {}, []
        for mount in keys.get("volumes", []):
            source, target = mount.split(":")[:2]
            if source.startswith("."):
                self.files[target] = (DEPLOY / source).resolve()
            elif source not in volumes:
                unknown.append(source)
        missing = [str(path) for path in self.files.values() if not path.exists()]
        check(f"{name}: mounted files that are missing", missing, [])
        check(f"{name}: volumes that are not declared", unknown, [])
        check(f"{name}: addresses its ports are published at", set(self.ports.values()), {"127.0.0.1"})
        check(f"{name}: capabilities dropped", keys["cap_drop"], ["ALL"])
        check(f"{name}: security_opt", keys["security_opt"], ["no-new-privileges:true"])


def check_server(service):
    settings = json.loads((DEPLOY / "../configs/server.json").read_text())
    exposed = re.findall(r"^EXPOSE (\d+)$", (DEPLOY / "../Dockerfile").read_text(), re.MULTILINE)
    check("ppm-server: port, and the Dockerfile's", list(service.ports), [int(exposed[0])])
    check("ppm-server: read_only", service.keys.get("read_only"), True)
    check("ppm-server: tmpfs", service.keys.get("tmpfs"), None)
    check("ppm-server: healthcheck, else the image's", service.keys.get("healthcheck"), None)
    known = {"PPM_" + key.upper() for key in settings}
    environment = service.keys["environment"]
    check("ppm-server: variables that are no settings", set(environment) - known, set())
    command = service.keys["command"]
    models = [service.files["/models"] / command[i + 1] for i, word in enumerate(command) if word == "--model"]
    check("ppm-server: its models are there", [model.exists() for model in models], [True] * len(models))
    budget, limit = int(environment["PPM_MEMORY_MAX_BYTES"]), number_of_bytes(service.keys["mem_limit"])
    check(f"ppm-server: PPM_MEMORY_MAX_BYTES, {budget}, is at most half of mem_limit, {limit}", 2 * budget <= limit, True)
    grace = seconds(service.keys["stop_grace_period"])
    check(f"ppm-server: stop_grace_period, {grace} s, covers request_timeout_ms",
          grace * 1000 > settings["request_timeout_ms"], True)


def check_address(what, address, services):
    name, _, port = address.partition(":")
    check(f"{what} {address} is a port of a service", name in services and int(port) in services[name].ports, True)


def check_prometheus(services):
    scrapes = read(services["prometheus"].files["/etc/prometheus/prometheus.yml"])["scrape_configs"]
    for target in (target for scrape in scrapes for config in scrape["static_configs"] for target in config["targets"]):
        check_address("prometheus: target", target, services)
    check("prometheus: job and interval, and those of deploy/prometheus.yml",
          [(scrape["job_name"], scrape["scrape_interval"]) for scrape in scrapes],
          [(scrape["job_name"], scrape["scrape_interval"])
           for scrape in read(DEPLOY / "prometheus.yml")["scrape_configs"]])


def check_grafana(services):
    files = services["grafana"].files
    provisioned = {kind: [read(path) for target, path in files.items()
                          if target.startswith(f"/etc/grafana/provisioning/{kind}/")]
                   for kind in ("datasources", "dashboards")}
    sources = [source for file in provisioned["datasources"] for source in file["datasources"]]
    for source in sources:
        check_address(f"grafana: data source {source['name']} at", urllib.parse.urlsplit(source["url"]).netloc, services)
    folders = [provider["options"]["path"] for file in provisioned["dashboards"] for provider in file["providers"]]
    boards = {target: json.loads(path.read_text()) for target, path in files.items()
              if any(target.startswith(folder + "/") for folder in folders)}
    check("grafana: dashboards", [board["title"] for board in boards.values()], ["ppm-server"])
    wanted = {variable["query"] for board in boards.values() for variable in board["templating"]["list"]
              if variable["type"] == "datasource"}
    check("grafana: kinds of data source that the dashboard asks for",
          wanted, {source["type"] for source in sources if source.get("isDefault")})
    home = services["grafana"].keys["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    check("grafana: its first page is one of them", home in boards, True)


def main():
    print("deploy/compose.yaml")
    check_valid()
    file = read(FILE)
    services = {name: Service(name, keys, file["volumes"]) for name, keys in file["services"].items()}
    check("services", sorted(services), ["grafana", "ppm-server", "prometheus"])
    if failures:
        sys.exit("deploy/compose.yaml: not looked at any further")
    check_server(services["ppm-server"])
    check_prometheus(services)
    check_grafana(services)
    if failures:
        sys.exit(f"deploy/compose.yaml: {failures} checks failed")
    print("deploy/compose.yaml: all checks passed")


if __name__ == "__main__":
    main()
