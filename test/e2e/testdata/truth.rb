# The installed gems in the tree at /: a specification that RubyGems wrote lies
# in a folder called specifications.
Dir.glob("/{etc,home,opt,root,usr,var}/**/specifications/{,default/}*.gemspec").uniq.each do |file|
  next if File.symlink?(file)

  gem = Gem::Specification.load(file)
  puts ["gem", gem.name, gem.version, file.delete_prefix("/")].join("\t")
end
