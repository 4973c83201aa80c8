'use strict'

const { TagwardenError, errorKinds } = require('./lib/error.js')
const { Promoter, Plan, ApprovedPlan } = require('./lib/promoter.js')
const { OciRegistry } = require('./lib/registry.js')
const { Artifact, packArtifact, pushArtifact } = require('./lib/artifact.js')
const { MemoryRegistry, TestRegistry } = require('./lib/memory.js')
const { MemoryLedger, openLedger, initLedger } = require('./lib/ledger.js')
const { conformance } = require('./lib/conformance.js')
const value = require('./lib/value.js')

// Names one by one, so that `import { … }` finds them.
exports.TagwardenError = TagwardenError
exports.errorKinds = errorKinds
exports.Promoter = Promoter
exports.Plan = Plan
exports.ApprovedPlan = ApprovedPlan
exports.OciRegistry = OciRegistry
exports.MemoryRegistry = MemoryRegistry
exports.TestRegistry = TestRegistry
exports.MemoryLedger = MemoryLedger
exports.openLedger = openLedger
exports.initLedger = initLedger
exports.Artifact = Artifact
exports.packArtifact = packArtifact
exports.pushArtifact = pushArtifact
exports.conformance = conformance
exports.Digest = value.Digest
exports.Repository = value.Repository
exports.Tag = value.Tag
exports.Reference = value.Reference
exports.Channel = value.Channel
exports.Environment = value.Environment
exports.IdempotencyKey = value.IdempotencyKey
exports.Commit = value.Commit
exports.ReleaseLabel = value.ReleaseLabel
exports.Timestamp = value.Timestamp
exports.Provenance = value.Provenance
