"""The image and the compose file use settings, commands and ports that the code has."""

import re

from gateway.cli import SERVING, TAKING_WEBHOOKS, cli
from gateway.settings import Settings
from tests.docs import reading

SETTINGS = {name.upper() for name in Settings.model_fields}
COMPOSE = reading.text("docker-compose.yml")
IMAGE = reading.text("Dockerfile")
EXAMPLE = reading.text("deploy/gateway.env.example")


def service(name: str) -> str:
    """The lines of one service."""
    found = re.search(rf"^  {name}:\n((?:    .*\n|\n)+)", COMPOSE, flags=re.MULTILINE)
    assert found, name
    return found[1]


def names(block: str) -> set[str]:
    """The environment variables that a block sets; those of PostgreSQL's own image aside."""
    found = set(re.findall(r"^ +([A-Z][A-Z_]+): ", block, flags=re.MULTILINE))
    return {name for name in found if not name.startswith("POSTGRES_")}


def serving() -> set[str]:
    return names(COMPOSE.partition("x-serving: &serving\n")[2].partition("\nservices:")[0])


def test_only_settings_that_exist_are_set() -> None:
    assert names(COMPOSE) - SETTINGS == set()
    assert set(re.findall(r"\b((?:GATEWAY|STRIPE|DATABASE)_[A-Z_]+)", IMAGE)) - SETTINGS == set()


def test_the_serving_processes_get_all_that_they_need() -> None:
    needed = {name.upper() for name in SERVING}
    assert needed <= serving()
    for name in ("gateway", "worker"):
        assert "*serving" in service(name)
    assert {"DATABASE_URL", "GATEWAY_APP_PASSWORD", "GATEWAY_SYSTEM_PASSWORD"} <= names(service("migrate"))


def test_the_sidecar_gets_what_it_needs_and_no_key_that_moves_money() -> None:
    assert names(service("sidecar")) == {name.upper() for name in TAKING_WEBHOOKS}
    assert "*serving" not in service("sidecar")


def test_only_the_migration_gets_the_owners_password() -> None:
    holders = [name for name in ("migrate", "gateway", "sidecar", "worker", "sandbox") if "OWNER" in service(name)]
    assert holders == ["migrate"]
    assert "OWNER" not in COMPOSE.partition("x-serving: &serving\n")[2].partition("\nservices:")[0]


def test_the_example_has_every_value_that_the_compose_file_asks_for() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE))
    offered = set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", EXAMPLE, flags=re.MULTILINE))
    assert offered == asked


def test_the_commands_are_commands_of_the_gateway() -> None:
    started = {"migrate": "migrate", "gateway": "serve", "sidecar": "sidecar", "worker": "worker", "sandbox": "sandbox"}
    for name, command in started.items():
        found = re.search(r"command:\s+\[(\w+)", service(name))
        assert found
        assert found[1] == command
        assert command in cli.commands


def test_ports_are_those_that_the_processes_listen_on() -> None:
    fields = Settings.model_fields
    ports = {"gateway": fields["gateway_port"].default, "sidecar": fields["gateway_sidecar_port"].default}
    ports["sandbox"] = next(each.default for each in cli.commands["sandbox"].params if each.name == "port")
    for name, port in ports.items():
        assert f'ports: ["127.0.0.1:{port}:{port}"]' in service(name)
    assert f"GATEWAY_PORT={ports['gateway']}" in IMAGE
    assert f"GATEWAY_SIDECAR_PORT={ports['sidecar']}" in IMAGE
    assert f"EXPOSE {ports['gateway']} {ports['sidecar']}" in IMAGE


def test_containers_listen_where_others_reach_them() -> None:
    assert "GATEWAY_HOST=0.0.0.0" in IMAGE
    assert "--host, 0.0.0.0" in service("sandbox")


def test_health_is_asked_only_where_a_port_is_open() -> None:
    assert "healthcheck: {disable: true}" in service("worker")
    assert "healthcheck: {disable: true}" in service("migrate")
    assert ":8001/livez" in service("sidecar")
    assert "/_sandbox/health" in service("sandbox")
    assert "os.environ['GATEWAY_PORT']" in IMAGE
