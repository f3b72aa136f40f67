"""The image and what runs it: promises that can be read off the files, where no container engine is at hand."""

import importlib.metadata
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from gemwatch.adapters.config.file import load, load_sections
from gemwatch.core.settings import Postgresql

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["gemwatch"]
FOLDER = ROOT / "docs/kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
KUBERNETES = {
    one["kind"]: one
    for file in [*KUSTOMIZATION["resources"], "servicemonitor.yaml"]
    for one in yaml.safe_load_all((FOLDER / file).read_text())
}
REPLICATED = yaml.safe_load((ROOT / "compose.ha.yaml").read_text())["services"]
OVERLAY = ROOT / "docs/kubernetes-replicas"
USER = 10001


class Step(NamedTuple):
    word: str
    rest: str


def steps() -> list[Step]:
    lines = [line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [Step(*line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def image() -> list[Step]:
    """The steps of the last stage."""
    every = steps()
    return every[max(number for number, step in enumerate(every) if step.word == "FROM") :]


def only(word: str) -> str:
    (found,) = [step.rest for step in image() if step.word == word]
    return found


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(only("ENV")))


def test_base_image_is_slim_and_pinned_for_every_stage() -> None:
    names: set[str] = set()
    for step in steps():
        if step.word == "FROM":
            source, *alias = step.rest.split(" AS ")
            assert source in names or re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", source)
            names.update(alias)
    assert len(re.findall(r"^FROM python:", DOCKERFILE, re.MULTILINE)) == 1


def test_image_has_a_supported_python() -> None:
    version = re.search(r"^FROM python:(3\.\d+)", DOCKERFILE, re.MULTILINE)
    assert version is not None
    assert f"Python :: {version[1]}" in (ROOT / "pyproject.toml").read_text()


def test_image_runs_as_an_ordinary_user_and_gets_signals() -> None:
    assert only("USER") == f"{USER}:{USER}"
    assert json.loads(only("ENTRYPOINT")) == ["tini", "--", "gemwatch"]
    assert json.loads(only("CMD")) == ["run"]
    assert only("STOPSIGNAL") == "SIGTERM"


def test_image_has_a_healthcheck() -> None:
    options, _, command = only("HEALTHCHECK").partition("CMD ")
    assert json.loads(command) == ["gemwatch", "healthcheck"]
    assert "--start-period" in options
    assert not re.search(r"\b(curl|wget)\b", DOCKERFILE)


def test_everything_installed_has_a_hash_or_is_local() -> None:
    installs = [
        command
        for step in steps()
        if step.word == "RUN"
        for command in re.split(r"&&|;", step.rest)
        if re.search(r"\bpip\b.*\b(install|wheel)\b", command) and "uninstall" not in command
    ]
    assert len(installs) == 6
    for command in installs:
        assert "--require-hashes" in command or "--no-index" in command
        assert "--no-index" in command or "--only-binary=:all:" in command  # nothing is compiled


def test_lock_file_has_all_build_requirements() -> None:
    listed = re.search(r"\^\(([a-z|-]+)\)==", DOCKERFILE)
    assert listed is not None
    needed, more = set(), {"hatchling"}
    while more:
        name = more.pop()
        needed.add(name)
        for requirement in importlib.metadata.requires(name) or []:
            if ";" not in requirement:  # no extras, nothing for other Pythons
                more |= {re.split(r"[^A-Za-z0-9-]", requirement)[0].lower()} - needed
    assert set(listed[1].split("|")) == needed
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE)
    assert needed <= set(locked)


def test_image_has_no_build_tools() -> None:
    for step in image():
        if step.word == "COPY":
            assert step.rest.startswith("--from=")
            assert step.rest.split()[-1].startswith("/opt/")
        if step.word == "RUN":
            assert not re.search(r"\b(gcc|g\+\+|make|build-essential|git)\b", step.rest)
            assert "apt-get install" not in step.rest or "rm -rf /var/lib/apt/lists/*" in step.rest
            assert "pip uninstall -y" in step.rest


def test_image_has_the_standard_library_compiled() -> None:
    assert "python -m compileall" in next(step.rest for step in steps() if step.word == "RUN")
    assert environment()["PYTHONDONTWRITEBYTECODE"] == "1"  # so it has to be there from the start


def test_azure_cli_is_locked_with_hashes() -> None:
    lock = (ROOT / "requirements-azure-cli.lock").read_text()
    assert re.search(r"^azure-cli==", lock, re.MULTILINE)
    assert len(re.findall(r"^[a-z0-9-]+==", lock, re.MULTILINE)) == lock.count("==")
    assert all(
        "--hash=sha256:" in entry for entry in re.split(r"^(?=[a-z0-9-]+==)", lock, flags=re.MULTILINE) if entry
    )


def test_dependencies_are_a_layer_before_the_code() -> None:
    words = [step.rest for step in steps()]
    lock = next(n for n, rest in enumerate(words) if '-r "requirements${AZURE_IDENTITY' in rest)
    code = next(n for n, rest in enumerate(words) if rest.startswith("daemon "))
    assert lock < code


def test_build_has_every_file_that_the_wheel_includes() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = {Path(name) for step in steps() if step.word == "COPY" for name in step.rest.split()[:-1]}
    for name in [*wheel["packages"], *wheel["force-include"]]:
        assert copied & {Path(name), *Path(name).parents}, name


def test_image_names_no_download_host() -> None:
    instructions = "\n".join(step.rest for step in steps() if step.word != "LABEL")
    assert not re.search(r"://|\b[a-z0-9-]+\.(io|com|org|net)\b", instructions)


def test_image_has_the_standard_labels() -> None:
    labels = set(re.findall(r"org\.opencontainers\.image\.(\w+)=", only("LABEL")))
    assert labels >= {"title", "description", "licenses", "version", "revision"}


def test_image_writes_to_the_volume_and_runs_in_utc() -> None:
    assert json.loads(only("VOLUME")) == ["/data"]
    assert (
        environment().items()
        >= {
            "GEMWATCH_CONFIG": "/config/config.yaml",
            "HOME": "/data",
            "AZURE_CONFIG_DIR": "/data/azure",
            "TZ": "UTC",
        }.items()
    )


def test_build_context_has_only_what_is_copied() -> None:
    first, *allowed = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in ("#", "")
    ]
    assert first == "*"
    names = {line.removeprefix("!") for line in allowed if line.startswith("!")}
    copied = {
        source
        for step in steps()
        if step.word == "COPY" and "--from=" not in step.rest
        for source in step.rest.split()[:-1]
    }
    assert copied == names
    assert all((ROOT / name).exists() for name in names)


def test_compose_mounts_folders_and_grants_no_capabilities() -> None:
    assert COMPOSE["read_only"] is True
    assert COMPOSE["cap_drop"] == ["ALL"]
    assert COMPOSE["security_opt"] == ["no-new-privileges:true"]
    assert COMPOSE["tmpfs"]
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["ports"])
    mounts = {mount["target"]: mount for mount in COMPOSE["volumes"]}
    assert set(mounts) == {"/config", "/run/secrets", "/data"}
    for target in ("/config", "/run/secrets"):
        assert mounts[target]["read_only"] is True
        assert not Path(mounts[target]["source"]).suffix


def test_replicas_of_compose_keep_nothing_themselves() -> None:
    database, replicas = REPLICATED["database"], [REPLICATED["gemwatch-1"], REPLICATED["gemwatch-2"]]
    assert REPLICATED.keys() == {"database", "gemwatch-1", "gemwatch-2"}
    for one in replicas:
        same = one.keys() & COMPOSE.keys() - {"image", "build", "hostname", "ports", "tmpfs", "volumes"}
        assert {name: one[name] for name in same} == {name: COMPOSE[name] for name in same}
        assert one.keys() >= COMPOSE.keys()
        assert one["build"]["args"] == {"POSTGRESQL": 1}
        assert one["volumes"] == [mount for mount in COMPOSE["volumes"] if mount["type"] == "bind"]
        assert {mount.partition(":")[0] for mount in one["tmpfs"]} == {"/tmp", "/data"}
        assert one["depends_on"] == {"database": {"condition": "service_healthy"}}
    ports = [port for one in replicas for port in one["ports"]]
    assert len(set(ports)) == 2
    assert all(port.startswith("127.0.0.1:") and port.endswith(f":{only('EXPOSE')}") for port in ports)
    assert "ports" not in database
    assert database["environment"]["POSTGRES_PASSWORD_FILE"] in {mount["target"] for mount in database["volumes"]}


def overlay(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((OVERLAY / name).read_text())
    return found


def test_kubernetes_replicas_change_what_the_base_has() -> None:
    pod, _ = container_of()
    patch, kustomization = overlay("replicas.yaml"), overlay("kustomization.yaml")
    assert [file for file in kustomization["resources"] if not (OVERLAY / file).exists()] == []
    assert patch["metadata"]["name"] == KUBERNETES["Deployment"]["metadata"]["name"]
    patched = patch["spec"]["template"]["spec"]
    assert {one["name"] for one in patched["volumes"]} <= {one["name"] for one in pod["volumes"]}
    (data,) = patched["volumes"]
    assert (data["name"], data["persistentVolumeClaim"]) == ("data", None)
    (removed,) = [yaml.safe_load(one["patch"]) for one in kustomization["patches"] if "patch" in one]
    assert removed["metadata"]["name"] == KUBERNETES["PersistentVolumeClaim"]["metadata"]["name"]
    assert kustomization["configMapGenerator"][0]["name"] == KUSTOMIZATION["configMapGenerator"][0]["name"]
    assert kustomization["images"][0]["name"] == KUSTOMIZATION["images"][0]["newName"]
    secret = overlay("store-url.yaml")
    assert secret["metadata"] == KUBERNETES["Secret"]["metadata"]
    assert not secret["stringData"].keys() & KUBERNETES["Secret"]["stringData"].keys()


def test_kubernetes_replicas_are_never_all_stopped() -> None:
    labels = KUBERNETES["Deployment"]["spec"]["template"]["metadata"]["labels"]
    spec, budget = overlay("replicas.yaml")["spec"], overlay("disruptions.yaml")["spec"]
    assert spec["replicas"] >= 2
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    terms = spec["template"]["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert {one["podAffinityTerm"]["topologyKey"] for one in terms} >= {"kubernetes.io/hostname"}
    assert all(one["podAffinityTerm"]["labelSelector"] == {"matchLabels": labels} for one in terms)


def container_of() -> tuple[dict[str, Any], dict[str, Any]]:
    pod = KUBERNETES["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container


def test_kubernetes_never_runs_two_pods() -> None:
    spec = KUBERNETES["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]


def test_kubernetes_grants_no_capabilities() -> None:
    pod, container = container_of()
    context = pod["securityContext"]
    assert (context["runAsNonRoot"], context["runAsUser"], context["fsGroup"]) == (True, USER, USER)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_kubernetes_mounts_folders_and_probes_the_health_pages() -> None:
    pod, container = container_of()
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/config", "/run/secrets", "/data", "/tmp"}
    assert not any("subPath" in mount for mount in container["volumeMounts"])
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/livez"}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 600  # as TimeoutStartSec of the unit
    assert volumes["config"]["configMap"]["name"] == KUSTOMIZATION["configMapGenerator"][0]["name"]
    assert volumes["secrets"]["secret"]["secretName"] == KUBERNETES["Secret"]["metadata"]["name"]
    assert (
        volumes["data"]["persistentVolumeClaim"]["claimName"]
        == KUBERNETES["PersistentVolumeClaim"]["metadata"]["name"]
    )


def test_kubernetes_service_and_monitor_find_the_pod() -> None:
    labels = KUBERNETES["Deployment"]["spec"]["template"]["metadata"]["labels"]
    service, monitor = KUBERNETES["Service"], KUBERNETES["ServiceMonitor"]
    assert service["spec"]["selector"] == labels == monitor["spec"]["selector"]["matchLabels"]
    assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "gemwatch"  # the label of the alert rules
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    hosts = yaml.safe_load((FOLDER / "config.yaml").read_text())["web"]["hosts"]
    assert {service["metadata"]["name"], f"{service['metadata']['name']}.gemwatch.svc"} <= set(hosts)


def test_kubernetes_needs_no_azure_cli() -> None:
    assert yaml.safe_load((FOLDER / "config.yaml").read_text())["api"]["token"] == {"file": "/run/secrets/gem-token"}
    assert "gem-token" in KUBERNETES["Secret"]["stringData"]


def in_the_guide() -> str:
    """The configuration for a container, as docs/operations.md shows it."""
    blocks: list[str] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/operations.md").read_text(), re.DOTALL)
    return next(block for block in blocks if "api:" in block)


@pytest.mark.parametrize(
    "text", [(FOLDER / "config.yaml").read_text(), in_the_guide()], ids=["kubernetes", "operations.md"]
)
def test_example_configurations_load_and_use_the_volume(text: str, tmp_path: Path) -> None:
    for name in KUBERNETES["Secret"]["stringData"]:
        (tmp_path / name).write_text(
            "json://127.0.0.1:9/x" if name.endswith("url") else "5e1f0c7a9b3d24681f0e2c4a6b8d"
        )
    config = tmp_path / "config.yaml"
    config.write_text(text.replace("/run/secrets", str(tmp_path)))
    loaded = load(config, {}, url_problem=lambda _: None)
    assert loaded.problems == ()
    assert loaded.settings is not None
    assert loaded.settings.store.place == Path("/data/gemwatch.db")
    assert (loaded.settings.web.host, loaded.settings.web.port) == ("0.0.0.0", int(only("EXPOSE")))


def test_configuration_of_replicas_differs_only_in_its_store(tmp_path: Path) -> None:
    one, several = (yaml.safe_load((folder / "config.yaml").read_text()) for folder in (FOLDER, OVERLAY))
    assert {name: several[name] for name in several if name != "store"} == {
        name: one[name] for name in one if name != "store"
    }
    url = overlay("store-url.yaml")["stringData"]["store-url"]
    assert several["store"] == {"url": "${file:/run/secrets/store-url}"}
    (tmp_path / "store-url").write_text(url.replace("replace-me", "5e1f0c7a9b3d"))
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"store": several["store"]}).replace("/run/secrets", str(tmp_path)))
    loaded = load_sections(config, {}, ("store.url",))
    assert loaded.problems == ()
    assert loaded.settings is not None
    assert isinstance(loaded.settings.store.place, Postgresql)
