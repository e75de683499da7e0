"""OIDC: no refresh token goes where it can be read, and none is used up whose successor can't be kept."""

import errno
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml

from asynccp.auth import access, rewrite
from asynccp.testing.server import FakeCluster
from tests.auth.mounts import mounted_over_itself
from tests.auth.test_credentials import names_seen, refused
from tests.kube.gateways import (
    IdentityProvider,
    Proxy,
    id_token,
    identity_provider,
    kubeconfig,
    proxy,
    trusted_provider,
)

IN_CLEAR = "the identity provider wants the refresh token over a connection without TLS: http://idp.example"


@dataclass(frozen=True, slots=True)
class Login:
    """A kubeconfig whose id token has expired."""

    provider: IdentityProvider
    path: Path
    config: dict[str, Any]
    server: str

    def write(self, **changes: object) -> None:
        user = {"auth-provider": {"name": "oidc", "config": {**self.config, **changes}}}
        self.path.write_text(kubeconfig({"server": self.server}, user))

    def kept(self) -> str:
        config = yaml.safe_load(self.path.read_text())["users"][0]["user"]["auth-provider"]["config"]
        assert isinstance(config["refresh-token"], str)
        return config["refresh-token"]


@pytest.fixture
async def login(cluster: FakeCluster, tmp_path: Path) -> AsyncIterator[Login]:
    async with trusted_provider(tmp_path) as (provider, config):
        config["id-token"] = id_token("old", expires=1)
        (tmp_path / "kube").mkdir()
        login = Login(provider, tmp_path / "kube" / "config", config, cluster.url)
        login.write()
        cluster.accept_only(provider.new)
        yield login


@pytest.fixture
async def listener(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster) -> AsyncIterator[Proxy]:
    """Who is on the way to every http:// server that isn't this machine."""
    async with proxy(cluster.url) as one:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{one.port}")
        yield one


# In clear


async def test_an_issuer_without_tls_is_not_asked(login: Login, listener: Proxy) -> None:
    login.write(**{"idp-issuer-url": "http://idp.example/realm"})
    error = await refused(login.path)
    assert (str(error), listener.heard) == (IN_CLEAR, [])
    assert "https://" in error.hint


async def test_an_issuer_that_names_an_endpoint_without_tls_gets_no_token(login: Login, listener: Proxy) -> None:
    login.provider.endpoint = "http://idp.example/token"
    assert (str(await refused(login.path)), listener.heard) == (IN_CLEAR, [])


async def test_an_issuer_that_leads_to_one_without_tls_is_not_followed(login: Login, listener: Proxy) -> None:
    """Whoever answers there in its name could name any endpoint."""
    login.provider.leads_to = "http://idp.example/elsewhere"
    assert (str(await refused(login.path)), listener.heard) == (IN_CLEAR, [])


async def test_an_issuer_may_lead_elsewhere_with_tls(login: Login) -> None:
    login.provider.leads_to = "/elsewhere"
    assert await names_seen(login.path) == ["web-1"]


async def test_an_issuer_that_leads_in_circles_is_left(login: Login) -> None:
    login.provider.leads_to = "/.well-known/openid-configuration"
    assert str(await refused(login.path)).endswith("refused to renew the token: HTTP redirects without end")


async def test_an_issuer_on_this_machine_needs_no_tls(cluster: FakeCluster, login: Login, listener: Proxy) -> None:
    async with identity_provider(None) as plain:
        login.write(**{"idp-issuer-url": plain.url, "client-secret": plain.client[1]})
        cluster.accept_only(plain.new)
        assert await names_seen(login.path) == ["web-1"]
    assert listener.heard == []


async def test_credentials_for_this_machine_do_not_go_to_a_proxy_elsewhere(cluster: FakeCluster, login: Login) -> None:
    """In a kubeconfig it is asked for whatever server there is, loopback too; the environment's never is."""
    about = {"server": cluster.url, "proxy-url": "http://proxy.example:3128"}
    login.path.write_text(kubeconfig(about, {"token": "secret"}))
    assert (await access.load_access(str(login.path))).headers == ()
    async with proxy(cluster.url) as here:
        cluster.accept_only("secret")
        about["proxy-url"] = f"http://127.0.0.1:{here.port}"
        login.path.write_text(kubeconfig(about, {"token": "secret"}))
        assert await names_seen(login.path) == ["web-1"]


@pytest.mark.parametrize("answer", [["a"], {"a": 1}, 7, "ftp://idp.example", "https://[", "x" * 2_000_000])
async def test_an_endpoint_that_is_none_is_one_sentence(login: Login, answer: object) -> None:
    login.provider.endpoint = answer
    assert str(await refused(login.path)).startswith("the identity provider")
    assert login.provider.good == "refresh-1"


@pytest.mark.parametrize("token", ["two\nlines", "ü", ""])
async def test_a_token_that_no_header_can_hold_is_not_kept(login: Login, token: str) -> None:
    login.provider.new = token
    assert str(await refused(login.path)) == "the identity provider's answer holds no id token"
    assert login.kept() == "refresh-1"


# What is new is kept


def nobody_may_write(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(rewrite, "_replace", refuse)  # root may write everything
    monkeypatch.setattr(rewrite, "_overwrite", refuse)


async def test_whether_tokens_can_be_kept_is_known_before_the_old_one_is_used_up(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody_may_write(login, monkeypatch)
    error = await refused(login.path)
    says = "the OIDC tokens have to be renewed, but new ones can't be written to"
    assert str(error) == f"{says} {login.path}: Permission denied"
    assert login.provider.good == "refresh-1"


async def test_the_tokens_of_a_kubeconfig_that_is_mounted_alone_are_kept(login: Login) -> None:
    """As a container gets it: nothing can take the place of a mount point."""
    with mounted_over_itself(login.path):
        inode = os.stat(login.path).st_ino
        assert await names_seen(login.path) == ["web-1"]
        assert (login.kept(), os.stat(login.path).st_ino) == ("refresh-1+", inode)
    assert os.listdir(login.path.parent) == ["config"]


async def test_a_lock_that_stays_is_named_before_the_provider_is_asked(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kubectl doesn't write either as long as it is there."""
    monkeypatch.setattr(access, "_LOCK_WAIT_S", 0.0)
    lock = login.path.with_name("config.lock")
    lock.touch()
    error = await refused(login.path)
    assert str(error).endswith(f"can't be written to {login.path}: it is locked by config.lock")
    assert error.hint == f"if no other program writes it, remove {lock}"
    assert login.provider.good == "refresh-1"
    assert lock.exists()


async def test_a_lock_that_goes_is_waited_for(login: Login) -> None:
    lock, found = login.path.with_name("config.lock"), list[str]()
    lock.touch()

    async def look() -> None:
        found.extend(await names_seen(login.path))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        await anyio.wait_all_tasks_blocked()
        assert found == []
        lock.unlink()
    assert (found, login.kept()) == (["web-1"], "refresh-1+")


async def test_new_tokens_are_kept_although_a_lock_was_left_meanwhile(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a program that was killed: without them the user would have to log in again."""
    monkeypatch.setattr(access, "_LOCK_WAIT_S", 0.0)
    lock = login.path.with_name("config.lock")
    login.provider.meanwhile = lock.touch
    assert await names_seen(login.path) == ["web-1"]
    assert login.kept() == "refresh-1+"
    assert lock.exists(), "it is not ours"


async def test_a_user_that_is_gone_meanwhile_is_told(login: Login) -> None:
    login.provider.meanwhile = lambda: login.path.write_text("{}")
    error = await refused(login.path)
    assert str(error) == f"the kubeconfig {login.path} was changed meanwhile, and has no place for new OIDC tokens"
