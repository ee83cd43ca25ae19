"""A small document with one of everything, and a gate that judges by it."""

from . import gate

DOCUMENT = """\
openapi: 3.1.0
info: {title: Pets, version: "1"}
servers: [{url: /v1}]
paths:
  /pets:
    get:
      operationId: listPets
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}
        - {name: X-Trace, in: header, schema: {type: string, maxLength: 8}}
      responses:
        "200":
          description: ok
          content:
            application/json:
              schema: {type: array, items: {$ref: "#/components/schemas/Pet"}}
    post:
      operationId: addPet
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: "#/components/schemas/Pet"}}
          application/x-www-form-urlencoded: {schema: {$ref: "#/components/schemas/Pet"}}
      responses: {"201": {description: made}}
  /pets/{petId}:
    get:
      operationId: getPet
      parameters: [{name: petId, in: path, required: true, schema: {type: integer, minimum: 1}}]
      responses: {"200": {description: ok}}
    put:
      operationId: putPhoto
      parameters: [{name: petId, in: path, required: true, schema: {type: integer}}]
      requestBody:
        content:
          image/*: {}
          multipart/form-data:
            schema:
              type: object
              required: [title, photo]
              additionalProperties: false
              properties:
                title: {type: string, maxLength: 20}
                photo: {type: string, format: binary, maxLength: 300000}
      responses: {"204": {description: kept}}
  /search:
    post:
      operationId: search
      requestBody:
        content:
          application/json:
            schema:
              type: object
              properties:
                text: {type: string, pattern: "^(a+)+$"}
                any: {}
                count: {type: integer, maximum: 1000}
      responses: {"200": {description: ok}}
components:
  schemas:
    Pet:
      type: object
      required: [name]
      additionalProperties: false
      properties:
        name: {type: string, minLength: 1, maxLength: 20}
        age: {type: integer, minimum: 0, maximum: 100}
        tags: {type: array, maxItems: 3, items: {type: string}}
"""


def write(folder, text=DOCUMENT):
    path = folder / "pets.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def settings(backend, document, changes=None, **members):
    """A configuration with `input` on all its paths."""
    route = {"path": "/v1/**", "upstream": "api", "access": "public"}
    route["input"] = {"openapi": str(document), **members}
    route.update((changes or {}).pop("route", {}))
    return gate.config(backend, routes=[route], **(changes or {}))
