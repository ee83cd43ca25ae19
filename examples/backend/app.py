"""A small API as teams write them before anything guards it: it names its server, allows every
origin, shows stack traces and takes bodies of any size. The demo and the end-to-end tests put
gatehouse in front of it.

    python3 -m uvicorn --app-dir examples/backend app:app --port 8000
"""

import asyncio
import itertools
import json

from fastapi import FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from pydantic import BaseModel

app = FastAPI(title="Items", debug=True)
app.add_middleware(
    CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"]
)

items = {1: {"id": 1, "name": "lamp", "price": 20.0}, 2: {"id": 2, "name": "desk", "price": 140.0}}
next_id = itertools.count(3)
votes = {"cats": 0, "dogs": 0}


class NewItem(BaseModel):
    name: str
    price: float


class Invitation(BaseModel):
    email: str
    role: str


class Vote(BaseModel):
    option: str


@app.get("/health")
def health():
    return {"status": "ok"}


@app.get("/api/v1/items")
def list_items():
    return list(items.values())


@app.get("/api/v1/items/{item_id}")
def get_item(item_id: int):
    if item_id not in items:
        raise HTTPException(404, "no such item")
    return items[item_id]


@app.post("/api/v1/items", status_code=201)
def create_item(item: NewItem):
    number = next(next_id)
    items[number] = {"id": number, **item.dict()}
    return items[number]


@app.api_route("/api/v1/echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def echo(request: Request):
    """What reached the backend, for looking at it."""
    body = await request.body()
    return {
        "method": request.method,
        "path": request.url.path,
        "query": request.url.query,
        "headers": [[name.decode(), value.decode("latin-1")] for name, value in request.headers.raw],
        "body_bytes": len(body),
        "body": body[:1024].decode("latin-1"),
    }


# Tasks belong to the user in their path. Like many a backend it takes the id as it comes: whoever
# asks for /users/7/tasks gets them. Only the gateway in front knows who is asking.
tasks = {}


class Task(BaseModel):
    title: str


@app.get("/api/v1/users/{user_id}/tasks")
def list_tasks(user_id: str):
    return tasks.get(user_id, [])


@app.post("/api/v1/users/{user_id}/tasks", status_code=201)
def create_task(user_id: str, task: Task):
    tasks.setdefault(user_id, []).append(task.dict())
    return task


@app.post("/api/v1/invitations", status_code=202)
def invite(invitation: Invitation):
    return {"invited": invitation.email}


@app.get("/api/v1/admin/tasks")
def all_tasks():
    return tasks


@app.post("/internal/export")
async def export_person(request: Request):
    """The backend's part of a person's data; gatehouse signs its call."""
    person = (await request.json())["user_id"]
    return {"tasks": tasks.get(person, [])}


@app.post("/internal/delete")
async def delete_person(request: Request):
    tasks.pop((await request.json())["user_id"], None)
    return {"deleted": True}


# Logins as a team's own backend would have them: the limits stand in front.
@app.post("/api/v1/auth/login")
async def login(request: Request):
    raise HTTPException(401, "Invalid email or password")


@app.post("/api/v1/auth/{action}")
async def other_auth(action: str):
    return {"action": action}


@app.post("/vote")
def vote(choice: Vote):
    if choice.option not in votes:
        raise HTTPException(422, "unknown option")
    votes[choice.option] += 1
    return votes


@app.get("/results")
def results():
    return votes


@app.get("/api/v1/events")
async def events(count: int = 3, interval: float = 0.02):
    async def stream():
        for number in range(count):
            yield f"id: {number}\ndata: {json.dumps({'tick': number})}\n\n"
            await asyncio.sleep(interval)

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.websocket("/ws")
async def websocket(socket: WebSocket):
    await socket.accept()
    try:
        while True:
            await socket.send_text("echo: " + await socket.receive_text())
    except WebSocketDisconnect:
        pass


@app.get("/boom")
def boom():
    secret = {"database": "10.0.0.7"}
    return secret["password"]


@app.get("/old")
def old():
    return RedirectResponse("/api/v1/items")


@app.get("/cached")
def cached(request: Request):
    if request.headers.get("if-none-match") == '"v1"':
        return Response(status_code=304, headers={"ETag": '"v1"'})
    return PlainTextResponse("cached", headers={"ETag": '"v1"', "Cache-Control": "max-age=60"})


@app.get("/download")
def download(size: int = 10_000_000):
    def blocks():
        left = min(size, 1_000_000_000)
        while left > 0:
            block = b"gatehouse." * 6554 if left >= 65540 else b"x" * left
            left -= len(block)
            yield block

    return StreamingResponse(blocks(), media_type="application/octet-stream")


@app.get("/slow")
async def slow(seconds: float = 1.0):
    await asyncio.sleep(min(seconds, 60))
    return {"waited": seconds}
