"""What an analyst does with Python: a token, searches, a table of observations, a bulk export.

Prints one JSON object: the name of each ability, and what came of it.
Arguments: base of the tenant, client id, secret, id of a patient.
"""

import json
import sys
import time

import pandas
import requests

tenant, client, secret, patient = sys.argv[1:]
fhir = f"{tenant}/fhir"
session = requests.Session()
found = {}

smart = requests.get(f"{fhir}/.well-known/smart-configuration").json()
found["finds the endpoints for sign-in"] = smart["token_endpoint"]

token = requests.post(
    smart["token_endpoint"],
    auth=(client, secret),
    data={"grant_type": "client_credentials", "scope": "system/*.rs"},
).json()
session.headers["authorization"] = f"Bearer {token['access_token']}"
found["gets a token by client credentials"] = token["token_type"]


def get(path, **parameters):
    answer = session.get(f"{fhir}/{path}", params=parameters)
    answer.raise_for_status()
    return answer.json()


def resources(bundle):
    return [entry["resource"] for entry in bundle.get("entry", [])]


def pages(path, **parameters):
    bundle = get(path, **parameters)
    while True:
        yield from resources(bundle)
        following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
        if not following:
            return
        bundle = session.get(following[0]).json()


found["reads the CapabilityStatement"] = get("metadata")["resourceType"]
found["reads a resource"] = get(f"Patient/{patient}")["id"]
found["searches"] = len(resources(get("Condition", patient=patient)))
posted = session.post(f"{fhir}/Condition/_search", data={"patient": patient}).json()
found["searches by POST"] = len(resources(posted))
observations = list(pages("Observation", patient=patient, _count=5))
found["follows pages"] = len(observations)
found["searches a compartment"] = len(resources(get(f"Patient/{patient}/Condition")))
included = get("Condition", patient=patient, _include="Condition:patient")
found["includes referenced resources"] = [r["id"] for r in resources(included)].count(patient)
found["finds images (ImagingStudy)"] = len(resources(get("ImagingStudy", patient=patient)))
everything = {r["resourceType"] for r in pages(f"Patient/{patient}/$everything")}
found["reads everything of a patient"] = sorted(everything)
batch = session.post(
    fhir,
    headers={"content-type": "application/fhir+json"},
    data=json.dumps(
        {
            "resourceType": "Bundle",
            "type": "batch",
            "entry": [{"request": {"method": "GET", "url": f"Patient/{patient}"}}],
        }
    ),
).json()
found["sends a batch"] = batch["entry"][0]["resource"]["id"]
query = f'{{ Patient(id: "{patient}") {{ ImagingStudyList {{ id }} }} }}'
answer = session.post(f"{tenant}/graphql", json={"query": query}).json()
found["queries by GraphQL"] = len(answer["data"]["Patient"]["ImagingStudyList"])

started = session.get(
    f"{fhir}/Patient/$export",
    params={"_type": "Observation"},
    headers={"accept": "application/fhir+json", "prefer": "respond-async"},
)
status = started.headers["content-location"]
while (manifest := session.get(status)).status_code == 202:
    time.sleep(float(manifest.headers.get("retry-after", 1)))
files = [file["url"] for file in manifest.json()["output"]]
exported = [json.loads(line) for url in files for line in session.get(url).text.splitlines()]
found["exports in bulk"] = len(exported)

rows = pandas.json_normalize(exported)
values = rows.dropna(subset=["valueQuantity.value"]).groupby("subject.reference")["valueQuantity.value"]
found["makes a table of observations"] = values.count().to_dict()

print(json.dumps(found))
