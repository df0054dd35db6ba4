namespace BpfPpcc.Tests.Bpf;

/// <summary>Runs LLVM's BPF tools.</summary>
internal static class LlvmTools
{
    /// <summary>The standard output of a tool that must succeed.</summary>
    public static string Run(string tool, params string[] arguments) => Tools.RunChecked(Tools.Require(tool), arguments);
}
