#!/usr/bin/python3
"""usage: tests/cluster/check_manifests.py [FOLDER]      "make check-manifests"
Checks what deploy/ (or a copy) has for Kubernetes, KServe, Prometheus and HAProxy: types, references, and a
live server started with its arguments. Prints a line for each check; exit status 1 if one fails."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "reliability"))

import balancer  # pylint: disable=wrong-import-position
import client
import harness

ROOT = harness.ROOT
DEPLOY = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "deploy").resolve()
TYPES = ROOT / "build/manifests"
PACKAGES = ["kubernetes-types@1.30.0", "@kubernetes-models/prometheus-operator@6.0.0", "js-yaml@4.1.0",
            "typescript@5.9.3"]
BASES = ["kubernetes", "kubernetes-volume", "kubernetes/monitoring"]
INSTALLED = "/usr/local/share/ppm-server/"  # where "make install-program" in the Dockerfile puts configs/
MODEL = ROOT / "configs/models/listing1-pytorch-ppm.json"
METRIC = r"\b(?:ppm|process)_[a-z_]+\b(?!-)"
problems, omitted = [], []


def check(holds, what, found=""):
    """Prints one line; found says what is wrong."""
    if not holds:
        problems.append(what)
    print(f"{'  ' if holds else '! '}{what}{'' if holds else f': {found}'}", flush=True)


def read(path):
    return (DEPLOY / path).read_text(encoding="utf-8")


def documents(path):
    return [document for document in yaml.safe_load_all(read(path)) if document]


def not_checked(what, why):
    omitted.append(what)
    print(f"- {what}: NOT CHECKED, since {why}", flush=True)


def kustomized(base):
    """What kubectl would apply, by kind; None if it is too old."""
    kustomization = documents(f"{base}/kustomization.yaml")[0]
    patches = {patch["path"] for patch in kustomization.get("patches", [])}
    left = ({path.name for path in (DEPLOY / base).glob("*.yaml")} - set(kustomization["resources"]) - patches
            - {"kustomization.yaml", "adapter-values.yaml"})
    check(not left, f"deploy/{base}: every file is a resource or a patch", left)
    version = kubectl_version()
    if version == (0, 0) or patches and version < (1, 21):
        not_checked(f"kubectl kustomize deploy/{base}", "there is no kubectl" if version == (0, 0) else
                    "kubectl {}.{} is older than 1.21".format(*version))
        return None if patches else assembled(base, kustomization)
    process = subprocess.run(["kubectl", "kustomize", DEPLOY / base], capture_output=True, text=True)
    check(process.returncode == 0 and not process.stderr, f"kubectl kustomize deploy/{base}", process.stderr)
    return {document["kind"]: document for document in yaml.safe_load_all(process.stdout) if document}


def kubectl_version():
    try:
        process = subprocess.run(["kubectl", "version", "--client", "--output=json"], capture_output=True,
                                 text=True, check=True)
    except FileNotFoundError:
        return 0, 0
    version = json.loads(process.stdout)["clientVersion"]
    return int(version["major"]), int(re.match(r"\d+", version["minor"]).group())


def assembled(base, kustomization):
    """Does the part of kubectl's work that the checks need."""
    found = {document["kind"]: document for path in kustomization["resources"]
             for document in documents(f"{base}/{path}")}
    for generated in kustomization.get("configMapGenerator", []):
        found["ConfigMap"] = {"kind": "ConfigMap", "metadata": {"name": generated["name"]},
                              "data": {name: read(f"{base}/{name}") for name in generated["files"]}}
    for kind, document in found.items():
        if kind != "Namespace":
            document["metadata"]["namespace"] = kustomization["namespace"]
    for image in kustomization.get("images", []):
        for container in found["Deployment"]["spec"]["template"]["spec"]["containers"]:
            if container["image"] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"
    return found


# ---- types ----

def check_types():
    """Uses tsc and packages from npm."""
    if not all((TYPES / "node_modules" / name.rpartition("@")[0]).is_dir() for name in PACKAGES):
        TYPES.mkdir(parents=True, exist_ok=True)
        (TYPES / "package.json").write_text('{"private": true}', encoding="utf-8")
        try:
            installed = subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund",
                                        "--loglevel=error", "--fetch-retries=1", *PACKAGES], cwd=TYPES,
                                       capture_output=True, text=True, timeout=120)
            failure = installed.returncode and installed.stderr.strip().splitlines()[0]
        except (OSError, subprocess.TimeoutExpired) as error:
            failure = str(error)
        if failure:
            not_checked("types", f"npm cannot install the types: {failure}")
            return
    files = sorted(path for folder in (*BASES, "kserve") for path in (DEPLOY / folder).glob("*.yaml"))
    process = subprocess.run(["node", ROOT / "tests/cluster/check_types.mjs", TYPES, *files],
                             capture_output=True, text=True)
    print(process.stdout, end="")
    check(process.returncode == 0, "every document has its type", process.stderr.strip()[-500:] or "see above")


# ---- references ----

def check_pods(kinds, base):
    """Everything that refers to the pods by label, name or port."""
    deployment = kinds["Deployment"]
    pod = deployment["spec"]["template"]
    labels, container = pod["metadata"]["labels"], pod["spec"]["containers"][0]
    port = container["ports"][0]
    spread = [one["labelSelector"]["matchLabels"] for one in pod["spec"]["topologySpreadConstraints"]]
    selectors = {
        "Deployment": deployment["spec"]["selector"]["matchLabels"],
        "Service": kinds["Service"]["spec"]["selector"],
        "PodDisruptionBudget": kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        **{f"topologySpreadConstraints {number}": one for number, one in enumerate(spread)}}
    for name, selector in selectors.items():
        check(selector and selector.items() <= labels.items(), f"{base}: {name} selects the pods",
              f"{selector}, pods have {labels}")
    target = kinds["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    check((target["apiVersion"], target["kind"], target["name"]) ==
          (deployment["apiVersion"], "Deployment", deployment["metadata"]["name"]),
          f"{base}: the autoscaler scales the Deployment", target)
    ports = {port["name"], port["containerPort"]}
    named = [kinds["Service"]["spec"]["ports"][0]["targetPort"],
             *(one["port"] for rule in kinds["NetworkPolicy"]["spec"]["ingress"] for one in rule["ports"]),
             *(container[probe]["httpGet"]["port"]
               for probe in ("startupProbe", "readinessProbe", "livenessProbe"))]
    check(set(named) <= ports, f"{base}: Service, NetworkPolicy and probes name the port", f"{named} of {ports}")
    note = pod["metadata"]["annotations"]
    check(note["prometheus.io/port"] == str(port["containerPort"]), f"{base}: Prometheus' port", note)
    check({kind["metadata"].get("namespace") for name, kind in kinds.items() if name != "Namespace"} ==
          {kinds["Namespace"]["metadata"]["name"]}, f"{base}: all are in one Namespace")
    mounts = {volume["name"] for volume in pod["spec"]["volumes"]}
    check({mount["name"] for mount in container["volumeMounts"]} == mounts, f"{base}: volumes are mounted", mounts)
    maps = [volume["configMap"]["name"] for volume in pod["spec"]["volumes"] if "configMap" in volume]
    check(maps == [kinds["ConfigMap"]["metadata"]["name"]], f"{base}: the ConfigMap is the pods'", maps)
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in pod["spec"]["volumes"]
              if "persistentVolumeClaim" in volume]
    there = [kinds["PersistentVolumeClaim"]["metadata"]["name"]] if "PersistentVolumeClaim" in kinds else []
    check(claims == there, f"{base}: claims are mounted", f"{claims}, {there}")
    return port["containerPort"]


def quantity(text):
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    number, unit = re.fullmatch(r"(\d+)([KMG]i)?", text).groups()
    return int(number) * units.get(unit, 1)


def check_container(where, container, pod, seconds):
    """Checks that apply to any container; seconds: the longest drain."""
    settings = {**(pod.get("securityContext") or {}), **container["securityContext"]}
    user = re.search(r"^USER (\d+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.M).group(1)
    check(settings["runAsUser"] == int(user), f"{where}: runs as the image's user {user}", settings)
    check(settings["runAsNonRoot"] and settings["readOnlyRootFilesystem"] and
          settings["allowPrivilegeEscalation"] is False and settings["capabilities"] == {"drop": ["ALL"]} and
          settings["seccompProfile"] == {"type": "RuntimeDefault"} and
          pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False,
          f"{where}: no root, no writes, no privileges, no token, no variables from Services", settings)
    resources = container["resources"]
    check(resources["requests"] == resources["limits"] and resources["limits"]["cpu"].isdigit(),
          f"{where}: whole cores, with request equal to limit", resources)
    grace = pod["terminationGracePeriodSeconds"]
    check(grace >= seconds + 10, f"{where}: terminationGracePeriodSeconds {grace} is 10 s more than a drain",
          f"{seconds} s")
    version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    check(container["image"].endswith(f"/ppm-server:{version}") or
          container["image"] == f"ppm-server:{version}", f"{where}: the image of this version", container["image"])


def memory_needed(settings):
    return settings["memory_max_bytes"] + settings["connections_max"] * settings["connection_memory_bytes"]


# ---- the live server ----

def effective(flags):
    """The settings that --print-config prints."""
    process = subprocess.run([harness.PROGRAM, "serve", *flags, "--print-config"], capture_output=True, text=True,
                             check=True)
    return json.loads(process.stdout)


def accepted(where, flags):
    process = subprocess.run([harness.PROGRAM, "serve", *flags, "--check-config"], capture_output=True, text=True)
    check(process.returncode == 0, f"{where}: --check-config: {process.stdout.strip()}", process.stderr.strip())
    return process.returncode == 0


def here(text, folder):
    """Replaces the image's paths with this machine's."""
    return text.replace(INSTALLED, f"{ROOT}/").replace("/mnt/models/", f"{folder}/").replace(
        "/models/", f"{folder}/" if INSTALLED not in text else "/models/")


def put_model(folder, path):
    """Writes the sample model under another name, as tools/export.py would."""
    name = pathlib.Path(path).stem
    model = json.loads(MODEL.read_text(encoding="utf-8"))
    weights = MODEL.with_name(model["weights"]["file"])
    shutil.copy(weights, pathlib.Path(folder) / f"{name}.safetensors")
    model |= {"name": name, "weights": {**model["weights"], "file": f"{name}.safetensors"}}
    (pathlib.Path(folder) / f"{name}.json").write_text(json.dumps(model), encoding="utf-8")


def server_flags(kinds, folder):
    """The container's arguments, with the ConfigMap's file instead of the mounted one."""
    container = kinds["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    mount = next(one["mountPath"] for one in container["volumeMounts"] if one["name"] == "config")
    for name, text in kinds["ConfigMap"]["data"].items():
        for model in re.findall(r'"/models/([^"]+)"', text):
            put_model(folder, model)
        (pathlib.Path(folder) / name).write_text(here(text, folder), encoding="utf-8")
    check(container["args"][0] == "serve", "the container serves", container["args"])
    return [argument.replace(mount, str(folder)) for argument in container["args"][1:]]


def status_of(server, path):
    return server.ask("GET", path).status


def check_live(base, kinds, port):
    """Starts a server as the pods do."""
    container = kinds["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    with tempfile.TemporaryDirectory() as folder:
        flags = server_flags(kinds, folder)
        if not accepted(base, flags):
            return
        settings = effective(flags)
        check(settings["port"] == port and settings["host"] == "0.0.0.0", f"{base}: the server listens on the container's port",
              settings)
        seconds = (settings["drain_delay_ms"] + settings["request_timeout_ms"]) / 1e3
        check_container(base, container, kinds["Deployment"]["spec"]["template"]["spec"], seconds)
        limit = quantity(container["resources"]["limits"]["memory"])
        check(memory_needed(settings) <= 0.75 * limit, f"{base}: a quarter of the memory is left for models",
              f"{memory_needed(settings)} of {limit}")
        probe = container["readinessProbe"]
        noticed = probe["periodSeconds"] * probe["failureThreshold"]
        check(noticed * 1e3 < settings["drain_delay_ms"], f"{base}: {noticed} s of probes end before the drain does")
        with harness.Server(*flags, "--log-format", "text", "--port", "0", "--host", "127.0.0.1") as server:
            for name in ("startupProbe", "readinessProbe", "livenessProbe"):
                path = container[name]["httpGet"]["path"]
                found = status_of(server, path)
                check(found == 200, f"{base}: {name} {path} is answered 200", found)
            path = kinds["Deployment"]["spec"]["template"]["metadata"]["annotations"]["prometheus.io/path"]
            found = status_of(server, path)
            check(found == 200, f"{base}: {path} is answered 200", found)
            query, body = client.tensor(1, 4, 30, 30)
            found = server.ask("POST", "/ppm" + query, body).status
            check(found == 200, f"{base}: POST /ppm is answered 200", found)


def check_kserve():
    """The runtime, completed as KServe does."""
    runtime, service = documents("kserve/runtime.yaml")[0], documents("kserve/service.yaml")[0]
    predictor, container = service["spec"]["predictor"], runtime["spec"]["containers"][0]
    model, name = predictor["model"], service["metadata"]["name"]
    check(model["runtime"] == runtime["metadata"]["name"] and model["protocolVersion"] in
          runtime["spec"]["protocolVersions"] and model["modelFormat"]["name"] in
          [one["name"] for one in runtime["spec"]["supportedModelFormats"]],
          "kserve: the InferenceService is one of the runtime's", model)
    check(container["name"] == "kserve-container", "kserve: the container has the name that KServe looks for")
    arguments = [argument.replace("{{.Name}}", name) for argument in container["args"]]
    with tempfile.TemporaryDirectory() as folder:
        put_model(folder, f"{name}.json")
        flags = [here(argument, folder) for argument in arguments[1:]]
        if not accepted("kserve", flags):
            return
        settings = effective(flags)
        ports = {container["ports"][0]["containerPort"], container["readinessProbe"]["httpGet"]["port"],
                 int(runtime["spec"]["annotations"]["prometheus.kserve.io/port"])}
        check(ports == {settings["port"]}, f"kserve: port {settings['port']} everywhere", ports)
        check_container("kserve", container, predictor,
                        (settings["drain_delay_ms"] + settings["request_timeout_ms"]) / 1e3)
        with harness.Server(*flags, "--log-format", "text", "--port", "0", "--host", "127.0.0.1") as server:
            for path in (container["readinessProbe"]["httpGet"]["path"], f"/v2/models/{name}/ready",
                         runtime["spec"]["annotations"]["prometheus.kserve.io/path"]):
                found = status_of(server, path)
                check(found == 200, f"kserve: {path} is answered 200", found)
            request = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4, 6, 6], "data": 144 * [1]}]}
            answer = server.ask("POST", f"/v2/models/{name}/infer", json.dumps(request).encode(),
                                ["Content-Type: application/json"])
            check(answer.status == 200 and json.loads(answer.body)["model_name"] == name,
                  f"kserve: /v2/models/{name}/infer computes", answer.body[:200])


# ---- metrics ----

def expressions():
    """Texts that name metrics, by place."""
    adapter, = documents("kubernetes/monitoring/adapter-values.yaml")
    for rule in adapter["rules"]["custom"]:
        yield "adapter-values.yaml", rule["seriesQuery"]
    for group in documents("kubernetes/monitoring/rules.yaml")[0]["spec"]["groups"]:
        for rule in group["rules"]:
            yield f"rules.yaml: {rule['alert']}", rule["expr"]
    dashboard = json.loads(read("grafana-dashboard.json"))
    yield "grafana-dashboard.json", " ".join(target["expr"] for panel in dashboard["panels"]
                                             for target in panel.get("targets", []))


def check_metrics(kinds, monitoring):
    with harness.Server("--log-level", "error") as server:
        query, body = client.tensor(1, 4, 30, 30)
        server.ask("POST", "/ppm" + query, body)
        text = server.ask("GET", "/metrics").body.decode()
    shown = {re.match(METRIC, line).group() for line in text.splitlines() if not line.startswith("#")}
    labels = {label for labels in re.findall(r"\{([^}]*)\}", text) for label in re.findall(r'(\w+)=', labels)}
    labels |= {"namespace", "pod", "instance", "job"}  # added by Prometheus
    for where, expression in expressions():
        named = set(re.findall(METRIC, expression))
        check(named and named <= shown, f"{where}: {', '.join(sorted(named)[:3])}{'...' if len(named) > 3 else ''} "
              f"in /metrics", named - shown)
        used = set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', expression)) | {
            name for names in re.findall(r"\bby ?\(([^)]*)\)", expression) for name in re.findall(r"\w+", names)}
        check(used <= labels, f"{where}: labels that /metrics has", used - labels)
    rules = documents("kubernetes/monitoring/adapter-values.yaml")[0]["rules"]["custom"]
    served = {rule["name"]["as"] for rule in rules}
    wanted = {metric["pods"]["metric"]["name"] for metric in kinds["HorizontalPodAutoscaler"]["spec"]["metrics"]
              if metric["type"] == "Pods"}
    check(wanted and wanted <= served & shown, f"the autoscaler's {wanted} is the adapter's and the server's", served)
    monitor = monitoring["ServiceMonitor"]["spec"]
    service = kinds["Service"]
    check(monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items() and
          monitoring["ServiceMonitor"]["metadata"]["namespace"] == service["metadata"]["namespace"],
          "the ServiceMonitor selects the Service", monitor)
    check({one["port"] for one in monitor["endpoints"]} <= {one["name"] for one in service["spec"]["ports"]} and
          {one["path"] for one in monitor["endpoints"]} == {"/metrics"}, "the ServiceMonitor's port is the Service's")


# ---- HAProxy ----

def check_haproxy():
    path = DEPLOY / "haproxy.cfg"
    settings = balancer.environment("127.0.0.1:8080", "127.0.0.1:8404", [])
    process = subprocess.run(["haproxy", "-c", "-f", path], capture_output=True, text=True,
                             env={**os.environ, **settings})
    said = process.stderr.strip()
    check(process.returncode == 0 and "WARNING" not in said, "haproxy -c -f deploy/haproxy.cfg", said)
    text = path.read_text(encoding="utf-8")
    timeout_s = int(re.search(r"timeout server (\d+)s", text).group(1))
    defaults = effective([])
    check(1e3 * timeout_s > defaults["request_timeout_ms"], "haproxy.cfg: the server's 504 comes before its own")
    with harness.Server("--log-level", "error") as server:
        path = re.search(r"http-check send meth GET uri (\S+)", text).group(1)
        check(status_of(server, path) == 200, f"haproxy.cfg: {path} is answered 200")
        for denied in ("/metrics", "/v2/systemsharedmemory/status"):
            with balancer.Balancer([f"127.0.0.1:{server.port}"]) as front, front.connect() as connection:
                found = client.exchange(connection, client.request_bytes("GET", denied)).status
                check(found == 403, f"haproxy.cfg: {denied} is not for clients", found)


def check_references():
    monitoring = kustomized("kubernetes/monitoring")
    kinds = kustomized("kubernetes")
    check_live("kubernetes", kinds, check_pods(kinds, "kubernetes"))
    if with_volume := kustomized("kubernetes-volume"):
        check_live("kubernetes-volume", with_volume, check_pods(with_volume, "kubernetes-volume"))
    check_metrics(kinds, monitoring)
    check_kserve()


def main():
    for part in (check_types, check_references, check_haproxy):
        try:
            part()
        except KeyError as error:
            check(False, f"{part.__name__}: found no {error}, expected one")
    but = f", but not checked: {', '.join(omitted)}" if omitted else ""
    print(f"check-manifests: {len(problems)} problems{but}" if problems else f"check-manifests: all checks passed{but}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
