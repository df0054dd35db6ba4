using System.Buffers.Binary;

namespace BpfPpcc.Tests.Execution;

/// <summary>The files between the tests and Host/host.c, little-endian: jobs go in, answers come out. The structs there have the same names.</summary>
internal static class JobFile
{
    private const int AnswerSize = 24;

    private static readonly string[] Damages =
        ["stack pointer", "r14..r31", "cr2..cr4", "f14..f31", "the caller's frame", "bytes around the memory", "r2", "r13"];

    /// <summary>Counts, then each job with its memory and regions, everything padded to 8 bytes.</summary>
    /// <param name="indexOf">The place of a symbol in the host's table.</param>
    public static byte[] Encode(IReadOnlyList<Job> jobs, Func<string, int> indexOf)
    {
        var writer = new Writer();
        writer.Word(jobs.Count);
        writer.Word(0);
        foreach (Job job in jobs)
        {
            writer.Word(indexOf(job.Program));
            writer.Word(job.Memory.Length);
            writer.Word(job.Regions.Count);
            writer.Word(job.UsesUbpfHelpers ? 1 : 0);
            for (int i = 0; i < 4; i++)
                writer.Doubleword(i < job.Arguments.Count ? job.Arguments[i] : 0);
            writer.Padded(job.Memory);
            foreach (JobRegion region in job.Regions)
            {
                int length = region.Programs is null ? region.Contents.Length : 4 * region.Programs.Count;
                writer.Word((int)region.Kind);
                writer.Word(indexOf(region.Symbol));
                writer.Word(length);
                writer.Word(0);
                if (region.Programs is null)
                {
                    writer.Padded(region.Contents);
                    continue;
                }

                foreach (string? program in region.Programs)
                    writer.Word(program is null ? -1 : indexOf(program));
                writer.Padded([]);
            }
        }

        return writer.ToArray();
    }

    /// <summary>Reads the answers for the jobs from <paramref name="first"/> on, and says which job is the first without one.</summary>
    public static int Decode(ReadOnlySpan<byte> answers, IReadOnlyList<Job> jobs, int first, JobResult[] results)
    {
        while (answers.Length >= AnswerSize)
        {
            int signal = BinaryPrimitives.ReadInt32LittleEndian(answers[4..]);
            ulong result = BinaryPrimitives.ReadUInt64LittleEndian(answers[8..]);
            int damage = BinaryPrimitives.ReadInt32LittleEndian(answers[16..]);
            int length = BinaryPrimitives.ReadInt32LittleEndian(answers[20..]);
            bool isWhole = BinaryPrimitives.ReadInt32LittleEndian(answers) == first && length <= answers.Length - AnswerSize;
            if (!isWhole)
                break;
            results[first] = signal != 0
                ? new JobResult(signal == 14 ? "does not end" : $"signal {signal}", 0, [], [])
                : Result(jobs[first], damage, result, answers.Slice(AnswerSize, length));
            first++;
            answers = answers[(AnswerSize + length)..];
        }

        return first;
    }

    private static JobResult Result(Job job, int damage, ulong result, ReadOnlySpan<byte> bytes)
    {
        byte[] memory = bytes[..job.Memory.Length].ToArray();
        bytes = bytes[job.Memory.Length..];
        var regions = new List<byte[]>(job.Regions.Count);
        foreach (JobRegion region in job.Regions)
        {
            if (region.Programs is not null)
                continue;
            regions.Add(bytes[..region.Contents.Length].ToArray());
            bytes = bytes[region.Contents.Length..];
        }

        string? failure = damage == 0 ? null : "breaks " + string.Join(", ", Damages.Where((_, bit) => (damage >> bit & 1) != 0));
        return new JobResult(failure, result, memory, regions);
    }

    private sealed class Writer
    {
        private byte[] _bytes = new byte[1 << 16];
        private int _length;

        public byte[] ToArray() => _bytes[.._length];

        public void Word(int value) => BinaryPrimitives.WriteInt32LittleEndian(Reserve(4), value);

        public void Doubleword(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Reserve(8), value);

        public void Padded(ReadOnlySpan<byte> contents)
        {
            contents.CopyTo(Reserve(contents.Length));
            Reserve(-_length & 7);
        }

        private Span<byte> Reserve(int count)
        {
            while (_length + count > _bytes.Length)
                Array.Resize(ref _bytes, 2 * _bytes.Length);
            _length += count;
            return _bytes.AsSpan(_length - count, count);
        }
    }
}
