using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>What a function is full of. Each one is lopsided in its own way: mixtures of everything hide what only crowds bring out.</summary>
internal sealed record GeneratorStyle
{
    /// <summary>Of the statements, in the order of FunctionGenerator.Statement.</summary>
    public required int[] Weights { get; init; }

    /// <summary>Bit r: register r is used willingly.</summary>
    public required int Registers { get; init; }

    public required int Percent64 { get; init; }

    public required int PercentImmediate { get; init; }

    /// <summary>Memory accesses that go to the stack through r10.</summary>
    public required int PercentStack { get; init; }

    /// <summary>Of these, the part that goes to the same few slots, in every width.</summary>
    public required int PercentHot { get; init; }

    /// <summary>No address of the stack is in a register: its slots can all live in registers.</summary>
    public required bool KeepsStackPrivate { get; init; }

    /// <summary>Numbers in r1 to r5 that are saved over calls.</summary>
    public required int PercentSaved { get; init; }

    /// <summary>Statements whose value goes into the result at once.</summary>
    public required int PercentSunk { get; init; }

    public required bool FillsRegisters { get; init; }

    public required bool FillsStack { get; init; }

    public required int BlockLength { get; init; }

    public required int LongestLoop { get; init; }

    /// <summary>If not 0: the first conditionals have a body of so many instructions.</summary>
    public int HugeBlocks { get; init; }

    public static GeneratorStyle Random(Prng random)
    {
        //              alu con ld  st  atm ptr slt idm if  for cll fwd ldr cpy pat
        int[] weights = [24, 5, 10, 10, 4, 5, 4, 6, 8, 4, 8, 4, 2, 2, 12];
        for (int i = 0; i < weights.Length; i++)
        {
            if (random.Chance(25))
                weights[i] = random.Pick(0, weights[i] * 4, weights[i] * 2);
        }

        weights[0]++;
        return new GeneratorStyle
        {
            Weights = weights,
            Registers = random.Chance(50) ? 0x3ff : random.Next(0x400) | 1 << random.Next(10) | 1 << random.Next(10),
            Percent64 = random.Pick(50, 50, 80, 20, 0, 100),
            PercentImmediate = random.Pick(50, 50, 20, 85),
            PercentStack = random.Pick(40, 40, 80, 10),
            PercentHot = random.Pick(0, 30, 70),
            KeepsStackPrivate = random.Chance(35),
            PercentSaved = random.Pick(30, 80, 0),
            PercentSunk = random.Pick(60, 60, 35, 10),
            FillsRegisters = random.Chance(25),
            FillsStack = random.Chance(12),
            BlockLength = random.Pick(3, 5, 8, 12),
            LongestLoop = random.Pick(8, 16, 60),
        };
    }
}

/// <summary>What the functions of a unit share while it is being generated.</summary>
internal sealed class UnitPlan(Prng random, Coverage shape)
{
    public Prng Random { get; } = random;

    public Coverage Shape { get; } = shape;

    /// <summary>Index of the variable that takes what programs compute on their way.</summary>
    public const int Log = 0;

    public const int LogWords = 16;

    public required int MemoryLength { get; init; }

    public List<TestVariable> Variables { get; } = [];

    public List<TestMap> Maps { get; } = [];

    /// <summary>Index of the array map, -1 if there is none.</summary>
    public int ArrayMap { get; set; } = -1;

    /// <summary>Index of the prog array, -1 if there is none.</summary>
    public int ProgramArrayMap { get; set; } = -1;

    /// <summary>Subprograms that are finished, so that others may call them.</summary>
    public List<FunctionSignature> Signatures { get; } = [];

    /// <summary>By function: slots of the conditional jumps that may be negated.</summary>
    public List<IReadOnlyList<int>> Choices { get; } = [];

    /// <summary>Indices of the subprograms that have a call site.</summary>
    public HashSet<int> Called { get; } = [];

    /// <summary>Frames that calls may stack up.</summary>
    public int DeepestChain { get; } = 8;

    /// <summary>Each subprogram calls the one before it.</summary>
    public required bool IsChain { get; init; }

    public required int PercentCallsByRegister { get; init; }

    /// <summary>Nothing that every verifier refuses, and no more paths than one walks.</summary>
    public bool IsVerifiable { get; init; }

    /// <summary>Some of its branches go further than a conditional branch of PPC64. Such a unit costs as much as fifty others.</summary>
    public bool IsHuge { get; init; }
}

/// <summary>
/// Random valid BPF programs. A seed gives one unit: an entry, subprograms, other programs for tail calls, maps, variables, and inputs.
/// The same seed gives the same unit. Every program ends, reads nothing that was not written and stays within its memory, whatever the input.
/// </summary>
public static class ProgramGenerator
{
    public static TestUnit Generate(ulong seed, Coverage? shape = null) => Generate(seed, shape, out _);

    /// <param name="outcomes">By input: what a run of the unit leaves behind; null where no run was needed.</param>
    public static TestUnit Generate(ulong seed, Coverage? shape, out TestOutcome[]? outcomes)
    {
        outcomes = null;
        var random = new Prng(seed * 0x2545_f491_4f6c_dd1d + 1);
        if (seed % 1_500 == 7)
            return ExhaustMayGoto(seed, random);
        bool isVerifiable = seed % 3 == 0;
        var unit = new UnitPlan(random, shape ?? new Coverage())
        {
            MemoryLength = isVerifiable ? VerifyingCompiler.ContextSize : random.Pick(64, 64, 128, 256),
            IsChain = random.Chance(4),
            PercentCallsByRegister = !isVerifiable && random.Chance(15) ? 25 : 0,
            IsHuge = seed % 900 == 11,
            IsVerifiable = isVerifiable,
        };
        MakeData(unit);
        bool makesTailCalls = unit.ProgramArrayMap >= 0;
        var functions = new List<TestFunction>();
        int subprograms = unit.IsChain ? 7 : random.Pick(0, 0, 0, 1, 1, 2, 3, 5);
        for (int i = 0; i < subprograms; i++)
            functions.Add(MakeSubprogram(unit, functions.Count, makesTailCalls));
        int programs = makesTailCalls ? random.Between(1, 4) : 1;
        int firstProgram = functions.Count;
        List<FunctionSignature> callable = [.. unit.Signatures];
        for (int i = 0; i < programs; i++)
        {
            functions.Add(MakeProgram(unit, functions.Count, makesTailCalls, isLast: i == programs - 1));
            // Programs are not called, only their subprograms.
            unit.Signatures.Clear();
            unit.Signatures.AddRange(callable);
        }

        if (makesTailCalls)
            FillProgramArray(unit, firstProgram, programs);
        TestUnit result = new()
        {
            Name = $"seed {seed}",
            Functions = functions,
            Maps = unit.Maps,
            Variables = unit.Variables,
            Entry = functions.Count - 1,
            IsVerifiable = isVerifiable,
            Inputs = [.. Enumerable.Range(0, random.Between(3, 6)).Select(_ => MakeInput(unit, functions[^1].Place == FunctionPlace.Program))],
        };
        result = OpenUp(result, unit, out outcomes);
        CountShape(result, unit.Shape);
        return result;
    }

    /// <summary>
    /// Where a condition keeps the inputs off a part of the program, it is negated: without that half of all code would never run.
    /// </summary>
    private static TestUnit OpenUp(TestUnit unit, UnitPlan plan, out TestOutcome[] outcomes)
    {
        int best = -1;
        TestUnit bestUnit = unit;
        outcomes = [];
        for (int round = 0, futile = 0; round < 7 && futile < 2; round++)
        {
            var interpreter = new UnitInterpreter(unit);
            TestOutcome[] found = [.. unit.Inputs.Select(input => interpreter.Run(input))];
            int reached = interpreter.Executed.AsSpan().Count(true);
            futile++;
            if (reached > best)
                (best, bestUnit, outcomes, futile) = (reached, unit, found, 0);
            if (best > interpreter.Executed.Length * 9 / 10)
                break;
            unit = Negated(bestUnit, plan, interpreter.Executed);
        }

        return bestUnit;
    }

    private static TestUnit Negated(TestUnit unit, UnitPlan plan, bool[] isReached)
    {
        var functions = new List<TestFunction>();
        int start = 0;
        for (int f = 0; f < unit.Functions.Count; f++)
        {
            Slot[] slots = [.. unit.Functions[f].Slots];
            foreach (int i in plan.Choices[f])
            {
                bool isOneSided = isReached[start + i] && (!isReached[start + i + 1] || !isReached[start + i + 1 + slots[i].Offset]);
                if (isOneSided && plan.Random.Coin())
                    slots[i] = slots[i].Negated();
            }

            start += slots.Length;
            functions.Add(new TestFunction { Name = unit.Functions[f].Name, Place = unit.Functions[f].Place, Slots = slots, References = unit.Functions[f].References });
        }

        return unit.With(functions);
    }

    /// <summary>A loop that only may_goto ends: it takes millions of steps, so there are few.</summary>
    private static TestUnit ExhaustMayGoto(ulong seed, Prng random)
    {
        int r = random.Between(1, 9);
        Slot[] slots =
        [
            Slot.MovImm(0, random.Next(1000)), Slot.MovImm(r, random.Immediate()),
            Slot.MayGoto(3), Slot.AddImm(0, random.Between(1, 9)), Slot.Alu(0xa, random.Coin(), 0, r), Slot.Goto(-4), Slot.Exit,
        ];
        return new TestUnit
        {
            Name = $"seed {seed}",
            Functions = [new TestFunction { Name = "p0", Place = FunctionPlace.Program, Slots = slots }],
            Inputs = [new TestInput(new byte[16], 16)],
        };
    }

    private static void MakeData(UnitPlan unit)
    {
        Prng random = unit.Random;
        unit.Variables.Add(new TestVariable { Name = "log", Contents = new byte[8 * UnitPlan.LogWords] });
        unit.Variables.Add(new TestVariable { Name = "bss", Contents = new byte[8 * random.Between(8, 16)] });
        if (random.Chance(50))
            unit.Variables.Add(new TestVariable { Name = "data", Contents = Bytes(random, 8 * random.Between(8, 16)) });
        if (random.Chance(30))
            unit.Variables.Add(new TestVariable { Name = "table", Contents = Bytes(random, 64), IsReadOnly = true });
        if (random.Chance(30))
        {
            int entries = random.Pick(1, 2, 3, 7, 8);
            int valueSize = random.Pick(4, 8, 12, 16, 24, 64);
            unit.ArrayMap = unit.Maps.Count;
            unit.Maps.Add(new TestMap { Name = "array", ValueSize = valueSize, MaxEntries = entries, Contents = Bytes(random, entries * valueSize) });
        }

        if (random.Chance(15))
        {
            unit.ProgramArrayMap = unit.Maps.Count;
            int slots = random.Between(1, 6);
            unit.Maps.Add(new TestMap { Name = "programs", ValueSize = 4, MaxEntries = slots, Programs = new int[slots] });
        }
    }

    private static TestFunction MakeSubprogram(UnitPlan unit, int index, bool makesTailCalls)
    {
        Prng random = unit.Random;
        var parameters = new List<Parameter>();
        int count = random.Between(0, 5);
        if (makesTailCalls && random.Chance(70))
            parameters.Add(new Parameter(unit.MemoryLength, IsContext: true));
        while (parameters.Count < count)
            parameters.Add(new Parameter(random.Chance(30) ? random.Pick(8, 16, 32, 64) : 0));
        GeneratorStyle style = GeneratorStyle.Random(random);
        if (makesTailCalls)
            style.Weights[10] += 15;
        return FunctionGenerator.Generate(unit, new FunctionPlan
        {
            Index = index,
            Name = $"f{index}",
            Place = random.Chance(70) ? FunctionPlace.Static : FunctionPlace.Global,
            Parameters = parameters,
            StackSize = unit.IsChain ? random.Pick(0, 8, 32) : random.Pick(0, 0, 8, 16, 32, 64, 96),
            Statements = random.Pick(2, 3, 5, 10),
            MaxSlots = 250,
            CostLimit = makesTailCalls ? 800 : unit.IsVerifiable ? 1_000 : 6_000,
            Style = style with { FillsStack = style.FillsStack && random.Coin() },
        });
    }

    private static TestFunction MakeProgram(UnitPlan unit, int index, bool makesTailCalls, bool isLast)
    {
        Prng random = unit.Random;
        bool isGlobal = !makesTailCalls && !unit.IsVerifiable && random.Chance(15);
        List<Parameter> parameters = [new(unit.MemoryLength, IsContext: true)];
        if (!makesTailCalls)
            parameters.Add(new Parameter(0));
        if (isGlobal)
            parameters.AddRange([new Parameter(0), new Parameter(0), new Parameter(0)]);
        int size = unit.IsHuge ? 4 : makesTailCalls ? random.Weighted([60, 40]) : random.Weighted([20, 130, 55, 2]);
        GeneratorStyle style = GeneratorStyle.Random(random);
        if (makesTailCalls)
            style.Weights[10] += 10;
        if (size == 4)
        {
            style.Weights[8] += 40;
            style = style with { HugeBlocks = random.Between(9_000, 12_000) };
        }

        int stack = random.Pick(0, 8, 16, 48, 64, 128, 256, 512);
        int room = 512 - unit.Signatures.Select(static s => s.ChainStack).DefaultIfEmpty(0).Max();
        return FunctionGenerator.Generate(unit, new FunctionPlan
        {
            Index = index,
            Name = $"p{index}",
            Place = isGlobal ? FunctionPlace.Global : FunctionPlace.Program,
            Parameters = parameters,
            StackSize = random.Chance(80) ? Math.Min(stack, room / 32 * 32) : stack,
            Statements = size switch { 0 => random.Between(1, 6), 1 => random.Between(4, 14), 2 => random.Between(12, 30), 3 => random.Between(150, 500), _ => 12 },
            MaxSlots = size switch { 3 => 5_000, 4 => 45_000, _ => 700 },
            CostLimit = makesTailCalls ? 3_000 : size == 4 ? 200_000 : unit.IsVerifiable ? 5_000 : 25_000,
            Style = style,
            CallsForgotten = isLast,
        });
    }

    private static void FillProgramArray(UnitPlan unit, int first, int count)
    {
        int[] slots = unit.Maps[unit.ProgramArrayMap].Programs!;
        for (int i = 0; i < slots.Length; i++)
            slots[i] = unit.Random.Chance(75) ? unit.Random.Between(first, first + count - 1) : -1;
    }

    private static TestInput MakeInput(UnitPlan unit, bool isProgram)
    {
        byte[] memory = Bytes(unit.Random, unit.MemoryLength);
        if (isProgram)
            return new TestInput(memory, (ulong)memory.Length);
        return new TestInput(memory, unit.Random.Value64(), unit.Random.Value64(), unit.Random.Value64(), unit.Random.Value64());
    }

    private static byte[] Bytes(Prng random, int length)
    {
        var bytes = new byte[length];
        for (int i = 0; i < length;)
        {
            ulong value = random.Value64();
            int size = random.Pick(1, 4, 8);
            for (int b = 0; b < size && i < length; b++)
                bytes[i++] = (byte)(value >> (8 * b));
        }

        return bytes;
    }

    private static void CountShape(TestUnit unit, Coverage shape)
    {
        int slots = unit.SlotCount;
        string size = slots switch { < 30 => "1: below 30", < 100 => "2: 30 to 99", < 1_000 => "3: 100 to 999", < 8_000 => "4: 1,000 to 7,999", _ => "5: 8,000 and more" };
        shape.Count($"size {size} slots");
        shape.Count("shape: functions", unit.Functions.Count);
    }
}
