import { DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import { ALLOWED } from './functions.ts';

/** They tell of the engine, its catalog or its session, have lambdas, wait, or are its own. */
const REFUSED = `
  aggregate apply array_apply array_filter array_reduce array_transform can_cast_implicitly col_description
  combine constant_or_null create_sort_key currval error filter finalize format_pg_type format_type
  get_block_size get_type getvariable in_search_path is_histogram_other_bin list_apply list_filter
  list_reduce list_transform make_type map_to_pg_oid nextval normalized_interval obj_description
  parse_duckdb_log_message reduce remap_struct replace_type session_user setseed shobj_description sleep_ms
  stats switch timetz_byte_comparable txid_current unpivot_list user variant_bytes_to_variant
  variant_normalize variant_to_parquet_variant vector_type version write_log
`
  .trim()
  .split(/\s+/);
/** Names of functions that are all refused. */
const FAMILIES =
  /^(__internal_|icu_|pg_|has_\w+_privilege$|inet_|st_|current_(?!date$|localtime)|json_\w*(sql|plan)$)/;

test('each function of the engine is allowed or refused by name', async () => {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const rows = await connection.run(
    `SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE function_type IN ('scalar', 'aggregate', 'macro')`,
  );
  const names = new Set((await rows.getRows()).map(([name]) => String(name)));
  instance.closeSync();
  const isRefused = (name: string) => REFUSED.includes(name) || FAMILIES.test(name);
  expect([...names].filter((name) => !ALLOWED.has(name) && !isRefused(name))).toEqual([]);
  expect([...names].filter((name) => ALLOWED.has(name) && isRefused(name))).toEqual([]);
  expect([...ALLOWED, ...REFUSED].filter((name) => !names.has(name))).toEqual([]);
});
