"""A contract with all that a message can be made of, in version 2, on its way out."""

from __future__ import annotations

from typing import Final

from contracts.loader import Contract, load_contract

RICH: Final = """\
service: permits
version: "2"
title: {fr: "Permis | essais", en: "Permits <trial>"}
deprecated: {since: 2026-01-01, sunset: 2027-06-30, successor: "3"}
operations:
  permit.file:
    title: {fr: Déposer une demande, en: File an application}
    description: {fr: Dépose une demande & ses pièces., en: Files an application & its parts.}
    rest: {method: POST, path: "/v2/permits/{region}", query: [urgent]}
    soap: {action: "urn:permits/Deposer", request: Deposer, response: DeposerReponse}
    upstream: loopback
    idempotent: false
    limits: {request_bytes: 65536, response_bytes: 65536, deadline_seconds: 2.5}
    request:
      type: object
      additionalProperties: false
      required: [region, salt, fee, applicant, parts]
      oneOf: [{required: [phone]}, {required: [email]}]
      properties:
        region:
          type: string
          pattern: "^(0[1-9]|1[0-7])$"
          example: "06"
          sensitivity: public
          description: {fr: La région., en: The region.}
        urgent: {type: boolean, sensitivity: public, description: {fr: Urgent., en: Urgent.}}
        fee:
          type: string
          format: decimal
          xml: {name: Frais}
          sensitivity: public
          description: {fr: Les frais., en: The fee.}
        phone: {type: [string, "null"], maxLength: 5, sensitivity: personal, description: {fr: Tél., en: Phone.}}
        email: {type: string, minLength: 7, sensitivity: personal, description: {fr: Courriel., en: E-mail.}}
        applicant:
          type: object
          additionalProperties: false
          required: [kind, name]
          sensitivity: personal
          description: {fr: Qui demande., en: Who applies.}
          properties:
            kind:
              type: string
              enum: [person, body]
              xml: {attribute: true, name: genre}
              description: {fr: Le genre., en: The kind.}
            name: {type: string, example: "Côté & fils", description: {fr: Le nom., en: The name.}}
            born: {type: [string, "null"], format: date, description: {fr: La naissance., en: The birth.}}
        parts:
          type: array
          minItems: 2
          maxItems: 3
          xml: {item: piece}
          sensitivity: personal
          description: {fr: Les pièces., en: The parts.}
          items:
            type: object
            additionalProperties: false
            allOf:
              - oneOf: [{required: [page]}, {required: [all]}]
            properties:
              page: {type: integer, minimum: 1, maximum: 9, description: {fr: La page., en: The page.}}
              all: {type: boolean, description: {fr: Toutes., en: All.}}
              content: {type: string, contentEncoding: base64, description: {fr: Les octets., en: The bytes.}}
        salt: {type: string, sensitivity: salt, description: {fr: Le sel., en: The salt.}}
    response:
      type: object
      additionalProperties: false
      required: [at, codes]
      properties:
        at: {type: string, format: date-time, sensitivity: public, description: {fr: Quand., en: When.}}
        codes:
          type: array
          sensitivity: public
          description: {fr: Les codes., en: The codes.}
          items: {type: array, xml: {item: code}, items: {type: string, enum: [a, b]}}
        note: {type: [object, "null"], additionalProperties: false, sensitivity: public, description: {fr: N., en: N.}}
    errors: [field_invalid, salt_invalid]
  permit.count:
    title: {fr: Compter, en: Count}
    description: {fr: Compte., en: Counts.}
    rest: {method: GET, path: /v2/permits, query: [since, under]}
    upstream: loopback
    idempotent: true
    limits: {request_bytes: 1024, response_bytes: 1024, deadline_seconds: 1}
    request:
      type: object
      additionalProperties: false
      properties:
        since: {type: string, format: date, sensitivity: public, description: {fr: Depuis., en: Since.}}
        under: {type: string, example: "à & b", sensitivity: public, description: {fr: Sous., en: Under.}}
    response:
      type: object
      additionalProperties: false
      required: [count]
      properties:
        count: {type: integer, minimum: 0, sensitivity: public, description: {fr: Le nombre., en: The count.}}
    errors: [not_agreed]
"""


def rich() -> Contract:
    """The contract, loaded."""
    return load_contract(RICH.encode())
