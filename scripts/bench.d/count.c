// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for QEMU: counts the instructions that each block of guest code
 * executes, and writes the counts down whenever the guest passes a marker.
 *
 * Arguments: marker=ADDRESS (decimal) of the first instruction of a kernel
 * function, out=FILE. At every call of that function FILE gets a line "mark"
 * and below it, for each block that ran since the mark before, its address
 * and the number of instructions executed in it. Address 0 is user space.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The part of QEMU's plugin interface that is used; QEMU ships no header. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_scoreboard;
struct qemu_plugin_u64 {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
};

enum { INLINE_ADD_U64 = 0, CB_NO_REGS = 0 };

struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t size);
uint64_t qemu_plugin_u64_get(struct qemu_plugin_u64 entry, unsigned int vcpu);
void qemu_plugin_u64_set(struct qemu_plugin_u64 entry, unsigned int vcpu, uint64_t value);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*cb)(unsigned int, void *), int flags, void *data);
void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *tb, int op,
						       struct qemu_plugin_u64 entry, uint64_t imm);

__attribute__((visibility("default"))) int qemu_plugin_version = 2;
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

/* Blocks by address, open addressing; slot 0 is user space, a full table ends the run. */
#define SLOTS (1u << 20)
static uint64_t address_of[SLOTS];
static unsigned int used;
static struct qemu_plugin_scoreboard *counts;
static uint64_t marker;
static FILE *out;

static struct qemu_plugin_u64 entry(unsigned int slot)
{
	return (struct qemu_plugin_u64){ counts, slot * sizeof(uint64_t) };
}

static unsigned int slot_of(uint64_t address)
{
	unsigned int slot = (unsigned int)((address * 0x9e3779b97f4a7c15ull) >> 44);

	if (!(address >> 63))
		return 0;
	while (!slot || (address_of[slot] && address_of[slot] != address))
		slot = (slot + 1) % SLOTS;
	if (!address_of[slot]) {
		if (++used > SLOTS / 2) {
			fprintf(stderr, "count: too many blocks\n");
			abort();
		}
		address_of[slot] = address;
	}
	return slot;
}

static void write_counts(unsigned int vcpu, void *data)
{
	(void)data;
	fprintf(out, "mark\n");
	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		uint64_t count = qemu_plugin_u64_get(entry(slot), vcpu);

		if (!count)
			continue;
		fprintf(out, "%" PRIx64 " %" PRIu64 "\n", address_of[slot], count);
		qemu_plugin_u64_set(entry(slot), vcpu, 0);
	}
	fflush(out);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb);

	(void)id;
	if (address == marker)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, write_counts, CB_NO_REGS, NULL);
	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, INLINE_ADD_U64,
							  entry(slot_of(address)),
							  qemu_plugin_tb_n_insns(tb));
}

__attribute__((visibility("default")))
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int at = 0; at < argc; at++) {
		if (!strncmp(argv[at], "marker=", 7))
			marker = strtoull(argv[at] + 7, NULL, 10);
		else if (!strncmp(argv[at], "out=", 4))
			out = fopen(argv[at] + 4, "w");
	}
	if (!marker || !out) {
		fprintf(stderr, "count: needs marker=ADDRESS and out=FILE\n");
		return -1;
	}
	counts = qemu_plugin_scoreboard_new(SLOTS * sizeof(uint64_t));
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
