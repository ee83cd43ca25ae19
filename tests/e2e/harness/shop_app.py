"""A backend whose framework writes its document: constraints of every kind on one small shop."""

from datetime import date
from enum import Enum
from typing import List, Optional
from uuid import UUID

from fastapi import Cookie, FastAPI, Header, Path, Query
from pydantic import BaseModel, Field

app = FastAPI(title="Shop")


class Kind(str, Enum):
    tool = "tool"
    toy = "toy"


class Line(BaseModel):
    sku: str = Field(..., regex="^[A-Z]{3}-[0-9]{4}$", example="ABC-1234")
    count: int = Field(..., ge=1, le=99)

    class Config:
        extra = "forbid"


class Order(BaseModel):
    lines: List[Line] = Field(..., min_items=1, max_items=5)
    note: Optional[str] = Field(None, max_length=40)
    kind: Kind
    price: float = Field(..., ge=0.5, le=1000)
    step: int = Field(0, multiple_of=5)
    gift: bool = False
    due: date
    id: UUID

    class Config:
        extra = "forbid"


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/shops/{shop}/orders", status_code=201)
def make_order(order: Order, shop: int = Path(..., ge=1, le=500)):
    return {"shop": shop, "price": order.price}


@app.get("/shops/{shop}/orders")
def list_orders(
    shop: int = Path(..., ge=1),
    limit: int = Query(10, ge=1, le=100),
    kind: Kind = Query(Kind.tool),
    word: str = Query("abc", min_length=3, max_length=8),
    since: Optional[date] = Query(None),
    tag: List[str] = Query(["a"], max_items=3),
    trace: str = Header("abc", alias="X-Trace", max_length=16),
    mood: str = Cookie("calm", max_length=8),
):
    return []
