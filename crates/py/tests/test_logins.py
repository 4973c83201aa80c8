"""The logins of the environment: of tagwarden's own variables, and of those that a tagwarden.toml names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagwarden import Config, Credentials, InvalidValueError, OciRegistry, RegistryError, TestRegistry

CANARY = "canary-7f3a91"


@pytest.fixture(autouse=True)
def no_stored_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    for name in ("REGISTRY_AUTH_FILE", "DOCKER_AUTH_CONFIG", "TAGWARDEN_REGISTRY"):
        monkeypatch.delenv(name, raising=False)


def test_login_of_the_environment_goes_to_the_registry_that_the_caller_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGWARDEN_USERNAME", "ada")
    monkeypatch.setenv("TAGWARDEN_PASSWORD", CANARY)
    with TestRegistry() as registry:
        registry.demand(Credentials("ada", CANARY))
        shop = registry.repository("acme/shop")
        registry.memory.push_image(shop, "1.0", 1)
        assert OciRegistry(login_registry=registry.host).resolve(shop, "1.0") is not None
        with pytest.raises(InvalidValueError, match="set TAGWARDEN_REGISTRY to its host") as unclear:
            OciRegistry().resolve(shop, "1.0")
        assert unclear.value.code == "CONFIG_INVALID" and CANARY not in repr(unclear.value)
        with pytest.raises(RegistryError, match="the request was anonymous: .* \\(for reg.io alone\\)"):
            OciRegistry(login_registry="reg.io").resolve(shop, "1.0")


def test_variables_of_a_config_are_the_login_of_their_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with TestRegistry() as registry:
        registry.demand(Credentials("ada", CANARY))
        shop = registry.repository("acme/shop")
        registry.memory.push_image(shop, "1.0", 1)
        file = tmp_path / "tagwarden.toml"
        file.write_text(f'[registry."{registry.host}"]\nuser-env = "REG_USER"\npassword-env = "REG_PASSWORD"\n')
        config = Config.read(file)
        assert [(its.user_env, its.password_env) for its in config.registries] == [("REG_USER", "REG_PASSWORD")]
        with pytest.raises(RegistryError, match="REG_USER and REG_PASSWORD \\(not set\\)"):
            OciRegistry(config=config).resolve(shop, "1.0")
        monkeypatch.setenv("REG_USER", "ada")
        monkeypatch.setenv("REG_PASSWORD", CANARY)
        assert OciRegistry(config=config).resolve(shop, "1.0") is not None
