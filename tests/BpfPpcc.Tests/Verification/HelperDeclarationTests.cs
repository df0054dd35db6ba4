using System.Text;
using BpfPpcc.Diagnostics;
using BpfPpcc.Verification;
using BpfPpcc.Verification.Catalog;
using Xunit;

namespace BpfPpcc.Tests.Verification;

/// <summary>The file of helper declarations (docs/verification.md).</summary>
public sealed class HelperDeclarationTests
{
    [Theory]
    [InlineData("void f(void) = 1;", "VOID")]
    [InlineData("unsigned long long f() = 1;", "INTEGER")]
    [InlineData("long f(u32 a, s64 b, unsigned c, enum kind d, size_t e) = 1;", "INTEGER SCALAR SCALAR SCALAR SCALAR SCALAR")]
    [InlineData("int f(const void *p __size(n), u32 n) = 1;", "INTEGER MEM:READ CONST_SIZE_OR_ZERO")]
    [InlineData("int f(void *p __size(n), u32 n __nonzero) = 1;", "INTEGER MEM:READ, WRITE CONST_SIZE")]
    [InlineData("int f(void *p __out __size(n), u32 n) = 1;", "INTEGER MEM:WRITE, UNINIT CONST_SIZE_OR_ZERO")]
    [InlineData("int f(const void *p __nullable __size(0x10)) = 1;", "INTEGER FIXED_SIZE_MEM:OR_NULL, READ/16")]
    [InlineData("int f(u64 *p, const __be16 *q, char *) = 1;", "INTEGER FIXED_SIZE_MEM:READ, WRITE/8 FIXED_SIZE_MEM:READ/2 FIXED_SIZE_MEM:READ, WRITE/1")]
    [InlineData("int f(struct ctx *c __ctx) = 1;", "INTEGER CTX")]
    [InlineData("void *f(struct map *m __map, const void *k __key, void *v __out __value) __value = 1;", "MAP_VALUE_OR_NULL CONST_MAP_PTR MAP_KEY:READ MAP_VALUE:WRITE, UNINIT")]
    [InlineData("void *f(u64 n) __size(n) = 1;", "ALLOC_MEM_OR_NULL CONST_ALLOC_SIZE_OR_ZERO")]
    [InlineData("struct table *f(void) __size(32) __nonnull = 1;", "FIXED_SIZE_MEM/32")]
    [InlineData("u64 *f(int i) = 1;", "FIXED_SIZE_MEM_OR_NULL/8 SCALAR")]
    [InlineData("static long (* const f)(const void *p __size(n), __u32 n) = (void *) 1;", "INTEGER MEM:READ CONST_SIZE_OR_ZERO")]
    [InlineData("extern int f(const char *text __size(4)) __ksym;", "INTEGER FIXED_SIZE_MEM:READ/4")]
    public void Prototypes_become_what_the_verifier_checks(string declaration, string expected)
    {
        HelperPrototype helper = Read(declaration)!.Find("f")!;
        List<string> parts = [Show(helper.Returns)];
        parts.AddRange(helper.Arguments.Select(Show));
        Assert.Equal(expected, string.Join(' ', parts));
    }

    [Fact]
    public void A_header_may_serve()
    {
        HelperDeclarations declarations = Read(
            """
            #pragma once
            #define __size(x) \
                /* nothing */
            /* A comment; with a semicolon. */
            typedef unsigned int u32;
            struct packet { int length; void (*free)(struct packet *p); };
            enum { ONE, TWO };
            static inline int twice(int x) { return 2 * x; }
            extern int counter;
            static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *) 1;
            static long (*count)(u32 what) = (void *) 0x3e8; // the last one
            """)!;
        Assert.Equal([1000], declarations.Numbered.Keys);
        Assert.Equal(("count", 1), (declarations.Numbered[1000].Name, declarations.Numbered[1000].Arguments));
        Assert.Null(declarations.Find("twice"));
        Assert.Null(declarations.Find("bpf_map_lookup_elem"));
    }

    [Theory]
    [InlineData("long f(void *p) = 1;", "how many bytes", 1, 8)]
    [InlineData("long f(u32 a)\n = x;", "the helper's number", 2, 2)]
    [InlineData("long f(u32 a) = 1", "no ';'", 1, 17)]
    [InlineData("long f(u32 a = 1;", "no ')'", 1, 7)]
    [InlineData("long f(void *p __size(n), u32 m) = 1;", "must name the parameter that follows", 1, 8)]
    [InlineData("long f(int a, int b, int c, int d, int e, int g) = 1;", "has 6 parameters; 5 are possible", 1, 6)]
    [InlineData("long f(void) = 1;\nlong f(void) = 2;", "declared twice", 2, 6)]
    [InlineData("long f(void) = 1;\nlong g(void) = 1;", "the number 1 is that of f already", 2, 6)]
    [InlineData("long f(const void *k __key) = 1;", "need a parameter with __map", 1, 8)]
    [InlineData("long f(int a __nonnull) = 1;", "__nonnull has no meaning here", 1, 8)]
    [InlineData("void *f(void) __size(n) = 1;", "names no parameter", 1, 1)]
    [InlineData("= ( ;", "no declaration", 1, 1)]
    public void Mistakes_are_told_with_their_place(string text, string message, int line, int column)
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(HelperDeclarations.Read(Encoding.UTF8.GetBytes(text), "host.h", diagnostics));
        Diagnostic error = Assert.Single(diagnostics.Diagnostics);
        Assert.Equal(DiagnosticId.HelperDeclarationMalformed, error.Id);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal(("host.h", line, column), (error.Location!.Source!.File, error.Location.Source.Line, error.Location.Source.Column));
    }

    [Fact]
    public void Damaged_files_never_throw()
    {
        byte[] good = Encoding.UTF8.GetBytes("static void *(*f)(const void *p __size(n), u32 n) __size(32) = (void *) 1000; /* x */\n#define a \\\n b\nlong g(u32 *p) = 0x7;");
        for (int length = 0; length <= good.Length; length++)
            HelperDeclarations.Read(good.AsMemory(0, length), "cut", new DiagnosticBag());
        const string Characters = "(){}*,;=/#\n\\_ax1\"\0\u00ff";
        var random = new Random(1);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = [.. good];
            for (int j = random.Next(1, 6); j > 0; j--)
                bytes[random.Next(bytes.Length)] = (byte)Characters[random.Next(Characters.Length)];
            HelperDeclarations.Read(bytes, "mutated", new DiagnosticBag());
        }
    }

    private static HelperDeclarations? Read(string text)
    {
        var diagnostics = new DiagnosticBag();
        HelperDeclarations? declarations = HelperDeclarations.Read(Encoding.UTF8.GetBytes(text), "host.h", diagnostics);
        Assert.True(declarations is not null, declarations is null ? diagnostics.Diagnostics[0].Message : "");
        return declarations;
    }

    private static string Show(ReturnType type) => $"{type.Kind}{(type.Size > 0 ? $"/{type.Size}" : "")}";

    private static string Show(ArgumentType type) =>
        $"{type.Kind}{(type.Flags == ArgumentFlags.None ? "" : $":{type.Flags}")}{(type.Size > 0 ? $"/{type.Size}" : "")}";
}
