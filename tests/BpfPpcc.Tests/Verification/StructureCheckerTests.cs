using System.Text;
using System.Text.Json;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Tests.Assembler;
using BpfPpcc.Tests.Bpf;
using BpfPpcc.Tests.FileTests;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Verification;

public sealed class StructureCheckerTests
{
    public static TheoryData<string, string> Forms() => BpfFormTable.Rows();

    public static TheoryData<string> FileTests() => FileTest.In("Verification", "verify");

    [Theory]
    [MemberData(nameof(FileTests))]
    public void Says_what_the_file_expects(string file) => FileTest.Check(file, VerificationText.Show);

    [Theory]
    [MemberData(nameof(Forms))]
    public void Accepts_every_form(string text, string _)
    {
        (VerifiedModule? module, DiagnosticBag diagnostics) = VerificationText.Verify(BpfAssembler.Assemble(text + "\nexit"));
        Assert.Empty(diagnostics.Diagnostics);
        Assert.False(module!.IsVerified);
    }

    /// <summary>A 1 in a field that the form does not use is refused; so is register 11 in one that it does use.</summary>
    [Theory]
    [MemberData(nameof(Forms))]
    public void Refuses_reserved_fields_and_registers_that_do_not_exist(string text, string fields)
    {
        BpfInstruction instruction = BpfAssembler.Instructions(text)[0];
        bool isCall = instruction.Opcode == 0x85;
        Expect(instruction with { Dst = 11 }, fields.Contains('d', StringComparison.Ordinal) ? DiagnosticId.InvalidRegister : DiagnosticId.ReservedFieldUsed);
        Expect(
            instruction with { Src = 11 },
            fields.Contains('s', StringComparison.Ordinal) && !isCall ? DiagnosticId.InvalidRegister : DiagnosticId.ReservedFieldUsed);
        if (!fields.Contains('o', StringComparison.Ordinal))
            Expect(instruction with { Offset = 7 }, DiagnosticId.ReservedFieldUsed);
        if (!fields.Contains('i', StringComparison.Ordinal))
            Expect(instruction with { Imm = 7 }, DiagnosticId.ReservedFieldUsed);
    }

    [Fact]
    public void Refuses_every_opcode_that_the_table_of_forms_does_not_have()
    {
        HashSet<byte> known = [0x18, .. BpfFormTable.Rows().Select(row => BpfAssembler.Instructions(row.Data.Item1)[0].Opcode)];
        for (int opcode = 0; opcode < 256; opcode++)
        {
            if (!known.Contains((byte)opcode))
                Expect(new BpfInstruction((byte)opcode, 0, 0, 0, 0), DiagnosticId.UnknownOpcode);
        }

        Assert.Equal(129, known.Count);
    }

    [Theory]
    [InlineData(".insn 0xbf, 1, 2, 7, 0", DiagnosticId.ReservedFieldUsed)]
    [InlineData(".insn 0xbc, 1, 2, 32, 0", DiagnosticId.ReservedFieldUsed)]
    [InlineData(".insn 0x3f, 1, 2, 2, 0", DiagnosticId.ReservedFieldUsed)]
    [InlineData(".insn 0xb7, 1, 0, 8, 0", DiagnosticId.ReservedFieldUsed)]
    [InlineData(".insn 0xdc, 1, 0, 0, 48", DiagnosticId.ReservedFieldUsed)]
    [InlineData(".insn 0xd7, 1, 0, 0, 8", DiagnosticId.ReservedFieldUsed)]
    [InlineData(".insn 0xdb, 1, 2, 0, 2", DiagnosticId.UnknownOpcode)]
    [InlineData(".insn 0xdb, 1, 2, 0, 0xe0", DiagnosticId.UnknownOpcode)]
    [InlineData(".insn 0xd3, 1, 2, 0, 0", DiagnosticId.UnknownOpcode)]
    [InlineData(".insn 0xcb, 1, 2, 0, 0xe1", DiagnosticId.UnknownOpcode)]
    [InlineData(".insn 0x85, 0, 3, 0, 1", DiagnosticId.ReservedFieldUsed)]
    [InlineData("r1 = 5 ll pseudo 7", DiagnosticId.ReservedFieldUsed)]
    [InlineData("r1 = 5 ll pseudo 1", DiagnosticId.ReferenceUnresolved)]
    [InlineData("r1 = addr_space_cast(r2, 0, 1)", DiagnosticId.AddressSpaceCastUnsupported)]
    [InlineData("r1 = addr_space_cast(r2, 2, 1)", DiagnosticId.ReservedFieldUsed)]
    [InlineData(".insn 0x18, 1, 0, 1, 0\n.insn 0, 0, 0, 0, 0", DiagnosticId.ReservedFieldUsed)]
    [InlineData(".insn 0x18, 1, 0, 0, 0\n.insn 0, 1, 0, 0, 0", DiagnosticId.LoadImmediate64Truncated)]
    [InlineData(".insn 0x18, 1, 0, 0, 0\n.insn 0, 0, 1, 0, 0", DiagnosticId.LoadImmediate64Truncated)]
    [InlineData(".insn 0x18, 1, 0, 0, 0\n.insn 0, 0, 0, 1, 0", DiagnosticId.LoadImmediate64Truncated)]
    [InlineData(".insn 0x18, 1, 0, 0, 0", DiagnosticId.LoadImmediate64Truncated)]
    [InlineData("r10 = 5", DiagnosticId.FramePointerWritten)]
    [InlineData("w10 += r1", DiagnosticId.FramePointerWritten)]
    [InlineData("r10 = 5 ll", DiagnosticId.FramePointerWritten)]
    [InlineData("r10 = *(u64 *)(r1 + 0)", DiagnosticId.FramePointerWritten)]
    [InlineData("r10 = atomic_fetch_add((u64 *)(r1 + 0), r10)", DiagnosticId.FramePointerWritten)]
    [InlineData("r10 = load_acquire((u64 *)(r1 + 0))", DiagnosticId.FramePointerWritten)]
    [InlineData("goto +1", DiagnosticId.JumpOutOfRange)]
    [InlineData("goto -2", DiagnosticId.JumpOutOfRange)]
    [InlineData("gotol +70000", DiagnosticId.JumpOutOfRange)]
    [InlineData("gotol +0x7fffffff", DiagnosticId.JumpOutOfRange)]
    [InlineData("if r1 == 0 goto +1", DiagnosticId.JumpOutOfRange)]
    [InlineData("may_goto +1", DiagnosticId.JumpOutOfRange)]
    [InlineData("goto +1\nr1 = 5 ll", DiagnosticId.JumpIntoLoadImmediate64)]
    [InlineData("r1 /= 0", DiagnosticId.ConstantDivisionByZero)]
    [InlineData("w1 s%= 0", DiagnosticId.ConstantDivisionByZero)]
    [InlineData("r1 <<= 64", DiagnosticId.ConstantShiftOutOfRange)]
    [InlineData("w1 s>>= 32", DiagnosticId.ConstantShiftOutOfRange)]
    [InlineData("r1 >>= -1", DiagnosticId.ConstantShiftOutOfRange)]
    [InlineData("*(u8 *)(r10 - 513) = 1", DiagnosticId.StackTooLarge)]
    [InlineData("r1 = *(u64 *)(r10 - 520)", DiagnosticId.StackTooLarge)]
    [InlineData("*(u64 *)(r10 - 4) = r1", DiagnosticId.StackAboveFrame)]
    [InlineData("r1 = load_acquire((u8 *)(r10 + 0))", DiagnosticId.StackAboveFrame)]
    [InlineData("call -1", DiagnosticId.CallTargetInvalid)]
    [InlineData("call local +5", DiagnosticId.CallTargetInvalid)]
    [InlineData("call kfunc 77", DiagnosticId.CallTargetInvalid)]
    public void Refuses(string text, DiagnosticId id)
    {
        (VerifiedModule? module, DiagnosticBag diagnostics) = VerificationText.Verify(BpfAssembler.Assemble(text + "\nexit"));
        Assert.Null(module);
        Assert.Contains(diagnostics.Diagnostics, diagnostic => diagnostic.Id == id);
        Assert.All(diagnostics.Diagnostics, diagnostic => Assert.True(diagnostic.Location!.Instruction >= 0));
    }

    [Theory]
    [InlineData("r0 = 0", 0)]
    [InlineData("r0 = 0\nif r0 == 0 goto -2", 1)]
    [InlineData("exit\nif r0 == 0 goto -2", -1)]
    [InlineData("r0 = 0\ncall 5", 1)]
    [InlineData("r0 = 0\nr1 = 5 ll", 1)]
    [InlineData("goto -1", -1)]
    [InlineData("gotol -1", -1)]
    [InlineData("r0 = 0\nmay_goto -2", 1)]
    public void Refuses_to_run_off_the_end_where_that_is_reachable(string text, int slot)
    {
        DiagnosticBag diagnostics = VerificationText.Verify(BpfAssembler.Assemble(text)).Diagnostics;
        if (slot < 0)
            Assert.Empty(diagnostics.Diagnostics);
        else
            Assert.Equal((DiagnosticId.FallsOffTheEnd, slot), (Assert.Single(diagnostics.Diagnostics).Id, diagnostics.Diagnostics[0].Location!.Instruction));
    }

    [Fact]
    public void Knows_which_slots_are_reachable()
    {
        const string Text = """
            r1 = 5 ll
            if r1 == 0 goto out
            goto out
            r0 = 7
            out: exit
            exit
            """;
        VerifiedModule module = VerificationText.Verify(BpfAssembler.Assemble(Text)).Module!;
        Assert.Equal([true, false, true, true, false, true, false], module.Facts[0].IsReachable);
    }

    [Fact]
    public void Verifies_unless_asked_not_to()
    {
        BpfModule module = BpfAssembler.Assemble("r0 = 0\nexit");
        (VerifiedModule? verified, DiagnosticBag diagnostics) = VerificationText.Verify(module, new VerifierOptions());
        Assert.True(verified!.IsVerified);
        Assert.Empty(diagnostics.Diagnostics);

        (verified, diagnostics) = VerificationText.Verify(module, new VerifierOptions { NoVerify = true });
        Assert.False(verified!.IsVerified);
        Assert.Empty(diagnostics.Diagnostics);
    }

    [Fact]
    public void Reports_at_most_ten_errors_per_function_but_all_functions()
    {
        string bad = string.Concat(Enumerable.Repeat("r10 = 5\n", 50)) + "exit\n";
        DiagnosticBag diagnostics = VerificationText.Verify(BpfAssembler.Assemble($".program a\n{bad}.program b\n{bad}")).Diagnostics;
        Assert.Equal(20, diagnostics.Diagnostics.Count);
    }

    [Fact]
    public void Refuses_functions_beyond_a_million_instructions()
    {
        var code = new BpfInstruction[1_000_001];
        Array.Fill(code, new BpfInstruction(0xb7, 0, 0, 0, 0));
        code[^1] = new BpfInstruction(0x95, 0, 0, 0, 0);
        byte[] bytes = new byte[code.Length * BpfInstruction.Size];
        for (int slot = 0; slot < code.Length; slot++)
            code[slot].Encode(bytes.AsSpan(slot * BpfInstruction.Size), false);
        Assert.Equal(DiagnosticId.ProgramTooLarge, VerificationText.Verify(BytecodeModule.FromBytes(bytes)).Diagnostics.Diagnostics[0].Id);
        Assert.NotNull(VerificationText.Verify(BytecodeModule.FromBytes(bytes.AsSpan(BpfInstruction.Size))).Module);
    }

    [Fact]
    public void Refuses_an_empty_function()
    {
        Assert.Equal(DiagnosticId.EmptyProgram, Assert.Single(VerificationText.Verify(BytecodeModule.FromBytes([])).Diagnostics.Diagnostics).Id);
    }

    [Theory]
    [InlineData("r1 /= 0")]
    [InlineData("w1 %= 0")]
    [InlineData("r1 <<= 64")]
    public void Lets_through_what_is_merely_odd_if_nothing_is_to_be_verified(string text)
    {
        (VerifiedModule? module, DiagnosticBag diagnostics) =
            VerificationText.Verify(BpfAssembler.Assemble(text + "\nexit"), new VerifierOptions { NoVerify = true });
        Assert.NotNull(module);
        Assert.Empty(diagnostics.Diagnostics);
    }

    [Fact]
    public void Refuses_references_that_do_not_fit_the_instruction()
    {
        Assert.Equal(DiagnosticId.ReferenceUnresolved, ErrorWith("r0 = 5", new BpfReference.MapAddress(0)));
        Assert.Equal(DiagnosticId.ReferenceUnresolved, ErrorWith("r0 = 5 ll", new BpfReference.FunctionCall(0)));
        Assert.Equal(DiagnosticId.ReferenceUnresolved, ErrorWith("r0 = 5 ll", new BpfReference.ExternCall("f", null)));
        Assert.Equal(DiagnosticId.CallTargetInvalid, ErrorWith("call 5", new BpfReference.MapAddress(0)));
        Assert.Equal(DiagnosticId.CallTargetInvalid, ErrorWith("call 5", new BpfReference.FunctionCall(1)));
        Assert.Equal(DiagnosticId.CallTargetInvalid, ErrorWith("call 5", new BpfReference.FunctionCall(-1)));
    }

    /// <summary>No input may throw.</summary>
    [Fact]
    public void Survives_random_bytes()
    {
        var random = new Random(1);
        byte[] opcodes = [.. BpfFormTable.Rows().Select(row => BpfAssembler.Instructions(row.Data.Item1)[0].Opcode), 0x18, 0x18, 0x95];
        for (int round = 0; round < 20_000; round++)
        {
            byte[] bytes = new byte[random.Next(1, 12) * BpfInstruction.Size];
            random.NextBytes(bytes);
            for (int slot = 0; slot < bytes.Length; slot += BpfInstruction.Size)
            {
                new BpfInstruction(
                    opcodes[random.Next(opcodes.Length)], (byte)random.Next(11), (byte)random.Next(3), (short)random.Next(-3, 9), random.Next(-3, 9))
                    .Encode(bytes.AsSpan(slot), false);
            }

            VerificationText.Verify(BytecodeModule.FromBytes(bytes, type: BpfProgramType.XDP));
        }
    }

    /// <summary>Of uBPF's test host, under numbers that mean others to Linux.</summary>
    private const string UbpfHelpers =
        """
        unsigned long long gather_bytes(unsigned char, unsigned char, unsigned char, unsigned char, unsigned char) = 0;
        unsigned long long memfrob(void *memory __size(length), unsigned long long length) = 1;
        void trash_registers(void) = 2;
        unsigned int sqrti(unsigned int) = 3;
        """;

    /// <summary>
    /// The faults of the public conformance suites: programs with a result must pass, programs with a structural fault must not. One of
    /// the latter is wrong only when it runs. Tests of the class no_verify are what --no-verify is for.
    /// </summary>
    [Fact]
    public void Agrees_with_the_conformance_suites()
    {
        string? path = Corpus.Find("conformance/conformance.json");
        Assert.SkipWhen(path is null, "no corpus");
        using JsonDocument tests = JsonDocument.Parse(File.ReadAllBytes(path!));
        var wrong = new List<string>();
        HelperDeclarations helpers = HelperDeclarations.Read(Encoding.UTF8.GetBytes(UbpfHelpers), "ubpf.h", new DiagnosticBag())!;
        foreach (JsonElement test in tests.RootElement.EnumerateArray())
        {
            string name = test.GetProperty("name").GetString()!;
            bool isAccepted = !test.TryGetProperty("expected_error", out JsonElement error) || error.ValueKind == JsonValueKind.Null;
            BpfModule module = BytecodeModule.FromBytes(Convert.FromHexString(test.GetProperty("bytecode_hex").GetString()!));
            string verifyClass = test.GetProperty("verify_class").GetString()!;
            bool isOfHost = verifyClass == "needs_ubpf_helper_prototypes";
            VerifierOptions options = new()
            {
                NoVerify = verifyClass == "no_verify",
                GenericContextSize = isOfHost || verifyClass == "ctx_size" ? test.GetProperty("memory_hex").GetString()!.Length / 2 : null,
                Helpers = isOfHost ? helpers : HelperDeclarations.None,
            };
            if (isOfHost)
                module = HostHelpers.Bind(module, helpers.Numbered);
            (VerifiedModule? verified, DiagnosticBag diagnostics) = VerificationText.Verify(module, options);
            if (isAccepted != verified is not null && verifyClass != "verifier_choice")
                wrong.Add($"{name}: {string.Join("; ", diagnostics.Diagnostics.Select(diagnostic => diagnostic.Message))}");
        }

        Assert.Equal(232, tests.RootElement.GetArrayLength());
        Assert.Empty(wrong);
    }

    /// <summary>The first error of a program whose first instruction has the given reference.</summary>
    private static DiagnosticId ErrorWith(string text, BpfReference reference)
    {
        BpfModule module = BpfAssembler.Assemble(text + "\nexit");
        BpfFunction function = module.Functions[0];
        return VerificationText.Verify(module with
        {
            Functions = [function with { References = new Dictionary<int, BpfReference>(function.References) { [0] = reference } }],
        }).Diagnostics.Diagnostics[0].Id;
    }

    private static void Expect(BpfInstruction instruction, DiagnosticId id)
    {
        string text = string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $".insn {instruction.Opcode}, {instruction.Dst}, {instruction.Src}, {instruction.Offset}, {instruction.Imm}\nexit");
        DiagnosticBag diagnostics = VerificationText.Verify(BpfAssembler.Assemble(text)).Diagnostics;
        Assert.True(diagnostics.Diagnostics.Any(diagnostic => diagnostic.Id == id), $"{text}: {string.Join("; ", diagnostics.Diagnostics)}");
    }
}
