/* SPDX-License-Identifier: MIT */
/*
 * TLR_APART: has a function that is rarely called stay a function of its own,
 * though a compiler would make it a part of its caller, which would pay for its
 * registers each time. And one with an array or the address of a variable has
 * its stack guarded: another 8 instructions or so.
 */
#ifndef TLR_APART_H
#define TLR_APART_H

#if defined(__GNUC__)
#define TLR_APART __attribute__((noinline))
#elif defined(_MSC_VER)
#define TLR_APART __declspec(noinline)
#else
#define TLR_APART
#endif

#endif
