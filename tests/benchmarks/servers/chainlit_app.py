"""Another server's app, as its own documentation writes one: it streams an answer by the OpenAI SDK.

Run by `chainlit run` in an environment of its own; the model's name is what the visitor says.
"""

import os

import chainlit as cl
from openai import AsyncOpenAI

client = AsyncOpenAI(base_url=os.environ["BENCH_MODEL_URL"], api_key="none")


@cl.on_message
async def answer(message: cl.Message) -> None:
    """Stream the answer to the page."""
    said = cl.Message(content="")
    stream = await client.chat.completions.create(
        model=message.content,
        messages=[{"role": "user", "content": "What is a tertulia?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    async for part in stream:
        if part.choices and (token := part.choices[0].delta.content):
            await said.stream_token(token)
    await said.update()
