"""A running simulator for each test."""

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio
from aiohttp import web

from simulator.outcomes import Scenario
from simulator.running import Settings, running
from tests.simulator.desk import START_MS, Desk, Received


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[Desk]:
    """A simulator on free ports with a frozen clock, two accounts, and an address for pushes."""
    inbox: list[Received] = []

    async def receive(request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): text for name, text in request.headers.items()}
        body = await request.read()
        inbox.append(Received(request.path, body, request.content_type, headers))
        if not found.acknowledge:
            return web.json_response({"status": False, "return_code": "1000"})
        if b"RoutePushService" in inbox[-1].body:
            text = '<Response service="RoutePushService"><Head>OK</Head></Response>'
            return web.Response(text=text, content_type="text/xml")
        yes = {"status": True, "return_code": "0000", "code": "1", "result": True}
        return web.json_response(yes)

    runner = web.ServerRunner(web.Server(receive))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    settings = Settings(seed=7, start_ms=START_MS, frozen=True)
    async with aiohttp.ClientSession() as session, running(settings, Scenario()) as addresses:
        found = Desk(session, addresses.carriers, addresses.control, url, inbox)
        for account in (
            {"carrier": "sf", "account": "P1", "credentials": {"checkword": "cw"}},
            {"carrier": "zto", "account": "Z1", "credentials": {"app_secret": "zs"}},
        ):
            body = {**account, "push_url": f"{url}/{account['carrier']}/secret"}
            assert (await found.control("POST", "/accounts", body))[0] == 200
        yield found
    await runner.cleanup()
