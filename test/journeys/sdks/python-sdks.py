"""The Python SDKs, told by a line of JSON what to ask, with nothing but the variables that they read themselves.

A line is {"sdk", "ask", "model", "env"}; each is answered by one line: what the SDK parsed, or its own error.
"""

import json
import os
import sys

import anthropic
import openai

PROMPT = [{"role": "user", "content": "Answer me piece by piece, please"}]
SCHEMA = {"type": "object", "properties": {"times": {"type": "integer"}}, "required": ["times"]}


def openai_whole(client, model):
    answer = client.chat.completions.create(model=model, messages=PROMPT)
    return {"text": answer.choices[0].message.content, "usage": answer.usage.to_dict()}


def openai_streamed(client, model):
    options = {"include_usage": True}
    deltas, usage = [], None
    for chunk in client.chat.completions.create(model=model, messages=PROMPT, stream=True, stream_options=options):
        deltas += [choice.delta.content for choice in chunk.choices if choice.delta.content]
        usage = chunk.usage or usage
    return {"text": "".join(deltas), "deltas": len(deltas), "usage": usage.to_dict()}


def openai_tool(client, model):
    tool = {"type": "function", "function": {"name": "echo", "parameters": SCHEMA}}
    answer = client.chat.completions.create(model=model, messages=PROMPT, tools=[tool], tool_choice="required")
    call = answer.choices[0].message.tool_calls[0].function
    return {"tool": call.name, "input": json.loads(call.arguments), "usage": answer.usage.to_dict()}


def openai_left(client, model):
    stream = client.chat.completions.create(model=model, messages=PROMPT, stream=True)
    next(chunk for chunk in stream if chunk.choices[0].delta.content)
    stream.close()
    return {}


def anthropic_whole(client, model):
    answer = client.messages.create(model=model, max_tokens=200, messages=PROMPT)
    return {"text": answer.content[0].text, "usage": answer.usage.to_dict()}


def anthropic_streamed(client, model):
    with client.messages.stream(model=model, max_tokens=200, messages=PROMPT) as stream:
        deltas = list(stream.text_stream)
        answer = stream.get_final_message()
    return {"text": "".join(deltas), "deltas": len(deltas), "usage": answer.usage.to_dict()}


def anthropic_tool(client, model):
    tool, choice = {"name": "echo", "input_schema": SCHEMA}, {"type": "tool", "name": "echo"}
    with client.messages.stream(
        model=model, max_tokens=200, messages=PROMPT, tools=[tool], tool_choice=choice
    ) as stream:
        answer = stream.get_final_message()
    call = next(block for block in answer.content if block.type == "tool_use")
    return {"tool": call.name, "input": call.input, "usage": answer.usage.to_dict()}


def anthropic_left(client, model):
    stream = client.messages.create(model=model, max_tokens=200, messages=PROMPT, stream=True)
    next(event for event in stream if event.type == "content_block_delta")
    stream.close()
    return {}


CLIENTS = {"openai": openai.OpenAI, "anthropic": anthropic.Anthropic}
ERRORS = (openai.APIStatusError, anthropic.APIStatusError)

for line in sys.stdin:
    told = json.loads(line)
    os.environ.update(told["env"])
    try:
        client = CLIENTS[told["sdk"]]()
        said = globals()[f"{told['sdk']}_{told['ask']}"](client, told["model"])
    except ERRORS as error:
        said = {"error": type(error).__name__, "status": error.status_code, "body": error.body}
    print(json.dumps(said), flush=True)
