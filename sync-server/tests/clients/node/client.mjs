// The official Node client against the ClickHouse-HTTP front, as its users use it.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'

const require = createRequire(`${process.env.SNAG_CLIENT_FOLDER}/package.json`)
const { createClient } = require('@clickhouse/client')

const { SNAG_SQL_HOST: host, SNAG_SQL_PORT: port, SNAG_SQL_USER: username, SNAG_SQL_PASSWORD: password } = process.env
const connection = { url: `http://${host}:${port}`, username, password }
const database = 'node_client'

const steps = []
const step = (name, run) => steps.push([name, run])

const ODD = "a'b\"c\\d`e\t\n\r\0 😀 ä {x:String} ; FORMAT -- /* "
const TYPES = {
  u8: ['UInt8', 255],
  i64: ['Int64', '-9223372036854775808'],
  u256: ['UInt256', '115792089237316195423570985008687907853269984665640564039457584007913129639935'],
  f64: ['Float64', 0.1],
  dec: ['Decimal(18, 4)', '12345678901234.5678'],
  str: ['String', ODD],
  fix: ['FixedString(3)', 'abc'],
  uuid: ['UUID', '61f0c404-5cb3-11e7-907b-a6006ad3dba0'],
  day: ['Date', '2026-11-20'],
  time: ["DateTime64(3, 'UTC')", '2026-11-20 09:30:00.123'],
  low: ['LowCardinality(String)', 'low'],
  maybe: ['Nullable(String)', null],
  list: ['Array(Array(Int32))', [[1, -2], [], [3]]],
  map: ['Map(String, UInt32)', { a: 1, 'b "c"': 2 }],
  pair: ['Tuple(n UInt8, s String)', { n: 1, s: ODD }],
  kind: ["Enum8('one' = 1, 'two' = 2)", 'two'],
  flag: ['Bool', true],
  ip: ['IPv6', '2001:db8::1'],
  doc: ['JSON', { a: { b: [1, 2] }, c: 'd' }],
}
const COLUMNS = Object.entries(TYPES).map(([name, [type]]) => `${name} ${type}`).join(', ')
const ROW = Object.fromEntries(Object.entries(TYPES).map(([name, [, value]]) => [name, value]))

const setups = {
  plain: {},
  compressed: { compression: { request: true, response: true } },
  session: { session_id: `node-${process.pid}`, max_open_connections: 1 },
}

for (const [setup, options] of Object.entries(setups)) {
  const client = createClient({ ...connection, database, ...options })
  const table = `rows_${setup}`
  const wide = `types_${setup}`
  const count = async () => {
    const result = await client.query({ query: `SELECT count() AS n, sum(id) AS s FROM ${table}`, format: 'JSONEachRow' })
    return (await result.json())[0]
  }

  step(`${setup}: ping`, async () => {
    assert.equal((await client.ping()).success, true)
    assert.equal((await client.ping({ select: true })).success, true)
  })
  step(`${setup}: create tables`, async () => {
    const admin = createClient({ ...connection })
    await admin.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` })
    await admin.close()
    await client.command({
      query: `CREATE TABLE ${table} (id UInt64, name String) ENGINE MergeTree ORDER BY id`,
      clickhouse_settings: { wait_end_of_query: 1 },
    })
    await client.command({ query: `CREATE TABLE ${wide} (${COLUMNS}) ENGINE MergeTree ORDER BY u8` })
  })
  step(`${setup}: insert values and read them back`, async () => {
    const result = await client.insert({
      table,
      values: [{ id: 1, name: ODD }, { id: '2', name: 'b' }],
      format: 'JSONEachRow',
    })
    assert.equal(result.executed, true)
    assert.ok(result.query_id)
    assert.equal(result.summary?.written_rows, '2')
    const read = await client.query({ query: `SELECT * FROM ${table} ORDER BY id`, format: 'JSONEachRow' })
    assert.deepEqual(await read.json(), [{ id: '1', name: ODD }, { id: '2', name: 'b' }].map(fit))
  })
  step(`${setup}: insert a stream of 100,000 rows`, async () => {
    const rows = function* () {
      for (let id = 3; id <= 100_002; id++) yield { id, name: `row ${id}` }
    }
    await client.insert({ table, values: Readable.from(rows(), { objectMode: true }), format: 'JSONEachRow' })
    const total = await count()
    assert.equal(Number(total.n), 100_002)
    assert.equal(Number(total.s), (100_002 * 100_003) / 2)
  })
  step(`${setup}: stream the rows back`, async () => {
    const read = await client.query({ query: `SELECT id, name FROM ${table} ORDER BY id`, format: 'JSONEachRow' })
    let seen = 0
    let sum = 0
    for await (const rows of read.stream()) {
      for (const row of rows) {
        const { id } = row.json()
        seen += 1
        sum += Number(id)
      }
    }
    assert.equal(seen, 100_002)
    assert.equal(sum, (100_002 * 100_003) / 2)
  })
  step(`${setup}: insert raw CSV and other formats`, async () => {
    await client.command({ query: `CREATE TABLE raw_${setup} (id UInt64, name String) ENGINE Memory` })
    await client.insert({ table: `raw_${setup}`, values: Readable.from(['1,"a"\n', '2,"b;"\n'], { objectMode: false }), format: 'CSV' })
    await client.insert({ table: `raw_${setup}`, values: [[3, 'c']], format: 'JSONCompactEachRow' })
    await client.insert({ table: `raw_${setup}`, values: [{ name: 'd' }], columns: ['name'], format: 'JSONEachRow' })
    await client.insert({ table: `raw_${setup}`, values: [], format: 'JSONEachRow' })
    const read = await client.query({ query: `SELECT * FROM raw_${setup} ORDER BY name`, format: 'CSV' })
    assert.equal(await read.text(), '1,"a"\n2,"b;"\n3,"c"\n0,"d"\n')
  })
  step(`${setup}: unusual types`, async () => {
    await client.insert({ table: wide, values: [ROW], format: 'JSONEachRow' })
    const read = await client.query({
      query: `SELECT * FROM ${wide}`,
      format: 'JSONEachRow',
      clickhouse_settings: { output_format_json_quote_64bit_integers: 1, output_format_json_quote_decimals: 1 },
    })
    const [row] = await read.json()
    assert.deepEqual({ ...row, doc: null }, { ...ROW, doc: null })
    assert.deepEqual(JSON.parse(JSON.stringify(row.doc).replaceAll(/"(\d+)"/g, '$1')), ROW.doc)
  })
  step(`${setup}: JSON with its totals and statistics`, async () => {
    const read = await client.query({ query: `SELECT id FROM ${table} ORDER BY id LIMIT 3`, format: 'JSON' })
    const all = await read.json()
    assert.deepEqual(all.data.map((r) => Number(r.id)), [1, 2, 3])
    assert.deepEqual(all.meta, [{ name: 'id', type: 'UInt64' }])
    assert.equal(all.rows, 3)
  })
  step(`${setup}: query parameters`, async () => {
    const read = await client.query({
      query: 'SELECT {s:String} AS s, {n:Int64} AS n, {a:Array(String)} AS a, {m:Map(String,UInt8)} AS m, {d:DateTime64(3)} AS d, {x:Nullable(String)} AS x',
      query_params: { s: ODD, n: -5, a: ['it\'s', 'ä\\'], m: { k: 1 }, d: new Date('2026-11-20T09:30:00.123Z'), x: null },
      format: 'JSONEachRow',
    })
    const [row] = await read.json()
    assert.equal(row.s, ODD)
    assert.equal(Number(row.n), -5)
    assert.deepEqual(row.a, ["it's", 'ä\\'])
    assert.deepEqual(row.m, { k: 1 })
    assert.equal(row.d, '2026-11-20 09:30:00.123')
    assert.equal(row.x, null)
  })
  step(`${setup}: exec and insert select`, async () => {
    const { stream, query_id } = await client.exec({ query: 'SELECT 1 AS one FORMAT CSVWithNames', query_id: `exec-${setup}` })
    assert.equal(query_id, `exec-${setup}`)
    let text = ''
    for await (const chunk of stream) text += chunk
    assert.equal(text, '"one"\n1\n')
    const { stream: none } = await client.exec({ query: `INSERT INTO ${table} SELECT number + 200000, 'n' FROM numbers(10)` })
    for await (const chunk of none) assert.fail(String(chunk))
    assert.equal(Number((await count()).n), 100_012)
    await client.command({ query: `INSERT INTO ${table} VALUES (300000, 'it''s; FORMAT x')` })
    assert.equal(Number((await count()).n), 100_013)
  })
  step(`${setup}: errors have their code`, async () => {
    await assert.rejects(client.query({ query: 'SELECT nothing' }), { code: '47', type: 'UNKNOWN_IDENTIFIER' })
    await assert.rejects(client.command({ query: 'SELEC 1' }), { code: '62', type: 'SYNTAX_ERROR' })
    await assert.rejects(client.insert({ table: 'nowhere', values: [{ a: 1 }], format: 'JSONEachRow' }), { code: '60', type: 'UNKNOWN_TABLE' })
    await assert.rejects(
      client.insert({ table, values: [{ id: 'no number' }], format: 'JSONEachRow' }),
      (error) => error.type === 'INCORRECT_DATA' || /^(6|26|27|72|117)$/.test(error.code),
    )
    await assert.rejects(client.query({ query: 'SELECT 1', clickhouse_settings: { no_such_setting: 1 } }), { code: '115' })
  })
  step(`${setup}: an error in the middle of a stream`, async () => {
    const read = await client.query({
      query: 'SELECT throwIf(number = 3000000) AS x FROM numbers(10000000) SETTINGS max_block_size = 10000',
      format: 'JSONEachRow',
    })
    await assert.rejects(async () => {
      for await (const rows of read.stream()) assert.ok(rows.length > 0)
    }, setup === 'compressed' ? undefined : { code: '395' })
  })
  step(`${setup}: a query is aborted`, async () => {
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 200)
    const endless = client.query({
      query: 'SELECT count() FROM numbers(700000000000) WHERE NOT ignore(sipHash64(number))',
      abort_signal: stop.signal,
    })
    await assert.rejects(endless, /abort/i)
  })
  step(`${setup}: close`, () => client.close())
}

// 64-bit integers are quoted or not as the engine's default has it.
function fit(row) {
  return { ...row, id: quoted ? row.id : Number(row.id) }
}
let quoted = false

const probe = createClient({ ...connection })
quoted = (await (await probe.query({ query: 'SELECT toUInt64(1) AS x', format: 'JSONEachRow' })).json())[0].x === '1'
await assert.rejects(createClient({ ...connection, password: 'wrong' }).query({ query: 'SELECT 1' }), { code: '516' })
await probe.close()

for (const [name, run] of steps) {
  try {
    await run()
    console.log(`ok ${name}`)
  } catch (error) {
    console.log(`FAILED ${name}`)
    console.log(error)
    process.exit(1)
  }
}
console.log(`${steps.length} steps: all steps passed`)
