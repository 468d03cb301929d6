// SPDX-License-Identifier: Apache-2.0
//
// kinesalite.cjs NODE_MODULES PORT: the Kinesis server of the demo, on
// loopback only (its own command line listens everywhere). It throws when a
// client goes away in mid-request, which must not end the demo.
'use strict'

const [modules, port] = process.argv.slice(2)
const kinesalite = require(`${modules}/kinesalite`)

process.on('uncaughtException', (error) => {
  if (error.code === 'EADDRINUSE') {
    console.error(`port ${port} is taken`)
    process.exit(1)
  }
})

kinesalite({ createStreamMs: 20, deleteStreamMs: 20, shardLimit: 100 })
  .listen(Number(port), '127.0.0.1')
