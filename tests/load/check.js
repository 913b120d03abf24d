// SPDX-License-Identifier: MIT
// check.js COMMAND FILE...: reads what teller-load writes with hdr-histogram-js, an
// implementation of HdrHistogram that is not ours. NODE_PATH leads to it. Exits with
// 1 and says why where something differs.
//
//   counts LOG COUNTS       a log has, by tag, each value of COUNTS so often, and no
//                           other; COUNTS has lines MEASURE VALUE COUNT
//   percentiles LOG TEXT    TEXT is to the letter what hdr-histogram-js makes of the
//                           round trips of LOG
//   result LOG JSON         the counts and percentiles of a result (teller-load
//                           --json) are those of LOG
//   golden                  prints a histogram as hdr-histogram-js encodes it
//   write LOG               writes a log as hdr-histogram-js does
'use strict';
const fs = require('fs');
const hdr = require('hdr-histogram-js');

const names = {'NO TAG': 'round_trip'};
const text = (file) => fs.readFileSync(file, 'utf8');

const empty = () => hdr.build({
  lowestDiscernibleValue: 1,
  highestTrackableValue: 2 ** 42 - 1,
  numberOfSignificantValueDigits: 3,
  bitBucketSize: 64,
  useWebAssembly: false,
});

function fail(why) {
  console.error(`check.js: ${why}`);
  process.exit(1);
}

// The sum of all of a log's histograms, by measure, and when the first begins.
function read(file) {
  const reader = new hdr.HistogramLogReader(text(file), 64, false);
  const sums = {};
  let lines = 0;
  for (let one; (one = reader.nextIntervalHistogram()) !== null; lines++) {
    const name = names[one.tag] || one.tag;
    sums[name] = sums[name] || empty();
    sums[name].add(one);
    if (one.startTimeStampMsec < 1e12) {
      fail(`${file}: an interval begins at ${one.startTimeStampMsec} ms`);
    }
  }
  // It ends quietly at a line that it does not understand.
  const wanted = text(file).split('\n')
    .filter((line) => line !== '' && !/^[#"]/.test(line)).length;
  if (lines !== wanted) {
    fail(`${file}: ${lines} of ${wanted} histograms were read`);
  }
  return sums;
}

function same(what, found, wanted) {
  if (found !== wanted) {
    fail(`${what} is ${found}, and not ${wanted}`);
  }
}

function checkCounts(log, file) {
  const sums = read(log);
  const wanted = {};
  for (const line of text(file).trim().split('\n')) {
    const [name, value, count] = line.split(' ');
    wanted[name] = wanted[name] || empty();
    wanted[name].recordValueWithCount(Number(value), Number(count));
  }
  same('the list of measures', Object.keys(sums).sort().join(),
    Object.keys(wanted).sort().join());
  for (const name of Object.keys(wanted)) {
    for (let i = 0; i < wanted[name].countsArrayLength; i++) {
      same(`${log}: the count of ${name} in slot ${i}`,
        sums[name].getCountAtIndex(i), wanted[name].getCountAtIndex(i));
    }
    console.log(`${log}: ${name}: ${sums[name].totalCount} values`);
  }
}

function checkPercentiles(log, file) {
  const sum = read(log).round_trip;
  const found = text(file).split('\n');
  const wanted = sum.outputPercentileDistribution(5, 1e6).split('\n');
  same(`${file}: the number of lines`, found.length, wanted.length);
  wanted.forEach((line, i) => same(`${file}: line ${i + 1}`, found[i], line));
  console.log(`${file}: ${wanted.length - 1} lines`);
}

function checkResult(log, file) {
  const sums = read(log);
  const result = JSON.parse(text(file));
  const main = {connect: 'connect', hello: 'first_byte'}[result.mode] ||
    'round_trip';
  const where = {
    latency_us: main, connect_us: 'connect', first_byte_us: 'first_byte',
    lateness_us: 'lateness',
  };
  const percents = {
    p50: 50, p75: 75, p90: 90, p99: 99, p99_9: 99.9, p99_99: 99.99,
  };
  for (const [name, measure] of Object.entries(where)) {
    const sum = sums[measure] || empty();
    same(`${name}.count`, result[name].count, sum.totalCount);
    for (const [p, percent] of Object.entries(percents)) {
      // A result has no percentile above its exact maximum.
      const value = sum.totalCount === 0 ? 0
        : Math.min(sum.getValueAtPercentile(percent) / 1000, result[name].max);
      same(`${name}.${p}`, result[name][p], value);
    }
  }
  same('round_trips', result.round_trips,
    main === 'round_trip' ? sums.round_trip.totalCount : result.round_trips);
  console.log(`${file}: as ${log} has it`);
}

// Zero, runs of empty slots of all lengths, a large count, and both ends.
function golden() {
  const one = empty();
  one.recordValueWithCount(0, 300);
  one.recordValue(1);
  one.recordValue(3);
  one.recordValueWithCount(2047, 5);
  one.recordValueWithCount(2048, 7);
  one.recordValueWithCount(1234567, 1e12);
  one.recordValue(2 ** 42 - 1);
  return hdr.encodeIntoCompressedBase64(one);
}

function write(file) {
  let lines = '';
  const writer = new hdr.HistogramLogWriter((line) => { lines += line; });
  writer.outputLogFormatVersion();
  writer.outputStartTime(1700000000000);
  writer.outputLegend();
  for (let at = 0; at < 3; at++) {
    const one = empty();
    for (let i = 1; i <= 1000; i++) {
      one.recordValue(i * 1000 * (at + 1));
    }
    writer.outputIntervalHistogram(one, 1700000000 + at, 1700000001 + at, 1e6);
  }
  fs.writeFileSync(file, lines);
}

const [command, ...files] = process.argv.slice(2);
switch (command) {
  case 'counts': checkCounts(...files); break;
  case 'percentiles': checkPercentiles(...files); break;
  case 'result': checkResult(...files); break;
  case 'golden': console.log(golden()); break;
  case 'write': write(...files); break;
  default: fail(`what is "${command}"?`);
}
