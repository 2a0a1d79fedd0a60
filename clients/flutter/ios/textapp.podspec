Pod::Spec.new do |s|
  s.name = 'textapp'
  s.version = '0.1.0'
  s.summary = 'Text to labels, tags and spans with a bundle of textapp, through its core in C.'
  s.homepage = 'https://textapp.invalid' # CocoaPods refuses a pod without one; the plugin is part of your app
  s.license = { :type => 'Apache-2.0' }
  s.author = 'textapp'
  s.source = { :path => '.' }
  s.source_files = 'Classes/**/*'
  s.dependency 'Flutter'
  s.platform = :ios, '12.0'
  s.pod_target_xcconfig = {
    'DEFINES_MODULE' => 'YES',
    'GCC_C_LANGUAGE_STANDARD' => 'c99',
    'GCC_PREPROCESSOR_DEFINITIONS' => '$(inherited) TEXTAPP_BUILD_SHARED=1 TEXTAPP_CALLER_CHECKS_PROCESSOR=1',
    'OTHER_CFLAGS' => '$(inherited) -ffp-contract=off',
  }
end
