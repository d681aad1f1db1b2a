"""One writer for each process: what arrives during a transaction is saved together in the next."""

import asyncio
import logging

from channels.db import database_sync_to_async

from mychannels import outages

from . import listener
from .posting import save_alerts

logger = logging.getLogger(__name__)

pending = []  # pairs of the arguments of save_alert and the future of their alert
writing = None  # the task of this process


async def save(*arguments):
    """Save an alert, from the arguments of save_alert, and return it."""
    global writing
    future = asyncio.get_running_loop().create_future()
    pending.append((arguments, future))
    if writing is None or writing.done():
        writing = asyncio.create_task(write())
    return await future


async def write():
    """Save what is pending until nothing is."""
    while pending:
        batch = pending[:]
        pending.clear()
        await save_batch(batch)
        for _ in range(3):  # first let sockets receive more: one large batch costs less than two
            await asyncio.sleep(0)


async def save_batch(batch):
    try:
        saved = await database_sync_to_async(save_alerts)([arguments for arguments, _ in batch])
    except outages.DATABASE_ERRORS as error:
        outages.begin("The database", error)
        fail(batch, error)
    except Exception as error:  # a room or a user has been deleted
        if len(batch) > 1:
            for pair in batch:
                await save_batch([pair])
            return
        logger.error("A message can't be saved: %s", error)
        fail(batch, error)
    else:
        for (_, future), (alert, _) in zip(batch, saved, strict=True):
            if not future.cancelled():
                future.set_result(alert)
        listener.announce([alert for alert, _ in saved])


def fail(batch, error):
    """Raise the error wherever a message of the batch is awaited."""
    for _, future in batch:
        if not future.cancelled():
            future.set_exception(error)
