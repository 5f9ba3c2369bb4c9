/** The query of the editor as programs that run as they are. None has a token: they take it from the environment. */
import { Kind, parse, print, separateOperations } from 'graphql';
import type { Step } from '../results/lists.ts';
import { jsTemplate, jsValue, pythonText, pythonValue, rText, shellWord } from './literals.ts';

export interface Request {
  /** Of the tenant's graph. */
  url: string;
  query: string;
  variables: Readonly<Record<string, unknown>>;
  /** False where the tenant needs no token. */
  needsToken: boolean;
  /** The way to the list that becomes a table in Python and R; empty for the whole answer. */
  steps: readonly Step[];
  /** True if the server sends all rows of the query as a stream: Python then reads all pages. */
  isStreamed: boolean;
}

export interface Language {
  name: string;
  /** The packages to install, and the command. */
  needs: string;
  write(request: Request): string;
}

/** Environment variable with the token. */
export const TOKEN = 'ACCESS_TOKEN';

export const LANGUAGES: readonly Language[] = [
  { name: 'curl', needs: 'curl', write: curl },
  { name: 'urql', needs: 'Node 18 or newer, and: npm install @urql/core graphql', write: urql },
  {
    name: 'Apollo Client',
    needs: 'Node 20 or newer, and: npm install @apollo/client graphql rxjs',
    write: apollo,
  },
  { name: 'Python', needs: 'pip install requests pandas', write: python },
  { name: 'R', needs: 'install.packages(c("httr", "jsonlite"))', write: r },
];

/**
 * Returns the operation of a document that has several, with its fragments: some clients can send no more than one.
 * A document that is no GraphQL stays as it is.
 * @param name of the operation; the first one by default
 */
export function singleOperation(query: string, name: string | undefined): string {
  try {
    const document = parse(query);
    const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
    if (operations.length < 2) return query;
    const separate = separateOperations(document);
    return print(separate[name ?? ''] ?? Object.values(separate)[0]!);
  } catch {
    return query;
  }
}

function curl({ url, query, variables, needsToken }: Request): string {
  const lines = [
    `curl --fail-with-body --silent --show-error ${shellWord(url)}`,
    ...(needsToken ? [`--header "Authorization: Bearer $${TOKEN}"`] : []),
    `--header 'Content-Type: application/json'`,
    `--data-raw ${shellWord(JSON.stringify({ query, variables }, null, 2))}`,
  ];
  return `${lines.join(' \\\n  ')}\n`;
}

function urql({ url, query, variables, needsToken }: Request): string {
  const token = needsToken
    ? `\n  fetchOptions: { headers: { authorization: \`Bearer \${process.env.${TOKEN}}\` } },`
    : '';
  return `import { Client, fetchExchange, gql } from '@urql/core';

const client = new Client({
  url: ${jsValue(url)},
  exchanges: [fetchExchange],
  preferGetMethod: false,${token}
});

const query = gql${jsTemplate(query)};
const variables = ${jsValue(variables)};

const { data, error } = await client.query(query, variables).toPromise();
if (error) console.error(error.message);
console.log(JSON.stringify(data, null, 2));
`;
}

function apollo({ url, query, variables, needsToken }: Request): string {
  const token = needsToken ? `\n    headers: { authorization: \`Bearer \${process.env.${TOKEN}}\` },` : '';
  return `import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';

const client = new ApolloClient({
  link: new HttpLink({
    uri: ${jsValue(url)},${token}
  }),
  cache: new InMemoryCache(),
});

const query = gql${jsTemplate(query)};
const variables = ${jsValue(variables)};

const { data, error } = await client.query({ query, variables, fetchPolicy: 'no-cache', errorPolicy: 'all' });
if (error) console.error(error.message);
console.log(JSON.stringify(data, null, 2));
`;
}

function python(request: Request): string {
  if (request.isStreamed) return pythonStream(request);
  const { url, query, variables, needsToken, steps } = request;
  const headers = needsToken ? `\n    headers={"Authorization": f"Bearer {os.environ['${TOKEN}']}"},` : '';
  const path = pythonValue(steps.map(({ field }) => field));
  return `${needsToken ? 'import os\n\n' : ''}import pandas
import requests

query = ${pythonText(query)}
variables = ${pythonValue(variables)}

response = requests.post(
    ${pythonValue(url)},
    json={"query": query, "variables": variables},${headers}
    timeout=60,
)
answer = response.json()
for error in answer.get("errors", []):
    print("Error:", error["message"])
response.raise_for_status()

# The list of the table; lists within lists become one.
rows = [answer["data"]]
for field in ${path}:
    found = [row[field] for row in rows if row and row.get(field) is not None]
    rows = [item for value in found for item in (value if isinstance(value, list) else [value])]

table = pandas.json_normalize([row for row in rows if row])
print(table.to_string())
`;
}

/** The rows of all pages (FG-29). A stream that breaks off raises an exception: a part does not pass for all. */
function pythonStream({ url, query, variables, needsToken }: Request): string {
  const token = needsToken ? `\n        "Authorization": f"Bearer {os.environ['${TOKEN}']}",` : '';
  return `import json
${needsToken ? 'import os\n' : ''}
import pandas
import requests

query = ${pythonText(query)}
variables = ${pythonValue(variables)}

# Rows of all pages, as a stream: one in each line.
response = requests.post(
    ${pythonValue(url)},
    json={"query": query, "variables": variables},
    headers={${token}
        "Accept": "application/x-ndjson",
    },
    timeout=60,
    stream=True,
)
if not response.ok:
    raise SystemExit(f"HTTP status {response.status_code}: {response.text}")

rows = [json.loads(line) for line in response.iter_lines() if line]
for row in rows:
    if "_error" in row:
        raise SystemExit(f"The rows are not complete: {row['_error']['message']}")
    # The cursor of the next page, in the last row of a page.
    row.pop("_next", None)

table = pandas.json_normalize(rows)
print(table.to_string())
`;
}

function r({ url, query, variables, needsToken, steps }: Request): string {
  const headers = needsToken
    ? `\n  add_headers(Authorization = paste("Bearer", Sys.getenv("${TOKEN}"))),`
    : '';
  const path = steps.map(({ field }) => rText(field)).join(', ');
  return `library(httr)
library(jsonlite)

query <- ${rText(query)}
variables <- fromJSON(${rText(JSON.stringify(variables))}, simplifyVector = FALSE)

response <- POST(
  ${rText(url)},${headers}
  content_type_json(),
  timeout(60),
  body = toJSON(list(query = query, variables = variables), auto_unbox = TRUE, null = "null", digits = NA)
)
answer <- fromJSON(content(response, "text", encoding = "UTF-8"), simplifyVector = FALSE)
for (error in answer$errors) cat("Error:", error$message, "\\n")
stop_for_status(response)

# The list of the table; lists within lists become one.
rows <- list(answer$data)
for (field in c(${path})) {
  found <- Filter(Negate(is.null), lapply(rows, function(row) row[[field]]))
  # A list of objects has no names, an object has.
  rows <- do.call(c, lapply(found, function(value) if (is.null(names(value))) value else list(value)))
}

table <- fromJSON(toJSON(Filter(length, rows), auto_unbox = TRUE, null = "null", digits = NA))
if (is.data.frame(table)) table <- flatten(table)
print(table)
`;
}
